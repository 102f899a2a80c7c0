// Commands and answers of the driver as JSON: one object a line.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/struct.pb.h"
#include "leasemap/client.h"

namespace leasemap::e2e {

using Value = google::protobuf::Value;

// What may be asked; each command uses some of the fields.
struct Command {
  int id = 0;
  std::string op;
  int on = 0;  // the number of what it is done on
  std::string endpoints, holder, key, value, flags, cursor;
  std::vector<std::string> keys;
  std::map<std::string, std::string> values;
  std::optional<absl::Duration> lease, timeout;
  int ack = 0;

  bool Has(const std::string& flag) const { return flags.find(flag) != std::string::npos; }
  leasemap::Ack Acks() const;
};
Command ParseCommand(const std::string& line);

Value Null();
Value Text(const std::string& text);
Value Number(double number);
Value Bool(bool truth);
Value List(const std::vector<Value>& values);
Value Object(const std::map<std::string, Value>& fields);

Value ShowEntry(const Entry& entry);
Value ShowEvent(const Event& event);
// The kinds of an error, its text, and what it knows.
Value ShowError(const absl::Status& status, const std::vector<std::string>& failed);

std::string AnswerLine(int id, const Value& result, const Value& error);

}  // namespace leasemap::e2e

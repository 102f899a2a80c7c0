#include "tests/e2e/cpp_client/json.h"

#include <cstdlib>
#include <iostream>

#include "absl/strings/ascii.h"
#include "google/protobuf/util/json_util.h"

namespace leasemap::e2e {
namespace {

std::optional<absl::Duration> Seconds(const google::protobuf::Map<std::string, Value>& fields, const char* name) {
  const auto found = fields.find(name);
  if (found == fields.end() || found->second.kind_case() != Value::kNumberValue) return std::nullopt;
  return absl::Seconds(found->second.number_value());
}

}  // namespace

leasemap::Ack Command::Acks() const {
  return ack == -2 ? Ack::All() : ack == -1 ? Ack::Majority() : ack == 0 ? Ack::Local() : Ack::Nodes(ack);
}

Command ParseCommand(const std::string& line) {
  google::protobuf::Struct parsed;
  if (!google::protobuf::util::JsonStringToMessage(line, &parsed).ok()) {
    std::cerr << "no JSON: " << line << "\n";
    std::abort();
  }
  const auto& fields = parsed.fields();
  const auto text = [&fields](const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : found->second.string_value();
  };
  const auto number = [&fields](const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? 0 : static_cast<int>(found->second.number_value());
  };
  Command command;
  command.id = number("id");
  command.op = text("op");
  command.on = number("on");
  command.endpoints = text("endpoints");
  command.holder = text("holder");
  command.key = text("key");
  command.value = text("value");
  command.flags = text("flags");
  command.cursor = text("cursor");
  if (const auto keys = fields.find("keys"); keys != fields.end()) {
    for (const Value& key : keys->second.list_value().values()) command.keys.push_back(key.string_value());
  }
  if (const auto values = fields.find("values"); values != fields.end()) {
    for (const auto& [key, value] : values->second.struct_value().fields()) command.values[key] = value.string_value();
  }
  command.lease = Seconds(fields, "lease");
  command.timeout = Seconds(fields, "timeout");
  command.ack = number("ack");
  return command;
}

Value Null() {
  Value made;
  made.set_null_value(google::protobuf::NULL_VALUE);
  return made;
}
Value Text(const std::string& text) {
  Value made;
  made.set_string_value(text);
  return made;
}
Value Number(double number) {
  Value made;
  made.set_number_value(number);
  return made;
}
Value Bool(bool truth) {
  Value made;
  made.set_bool_value(truth);
  return made;
}
Value List(const std::vector<Value>& values) {
  Value made;
  made.mutable_list_value();
  for (const Value& value : values) *made.mutable_list_value()->add_values() = value;
  return made;
}
Value Object(const std::map<std::string, Value>& fields) {
  Value made;
  auto& all = *made.mutable_struct_value()->mutable_fields();
  for (const auto& [name, value] : fields) all[name] = value;
  return made;
}

Value ShowEntry(const Entry& entry) {
  return Object({{"key", Text(entry.key)},
                 {"value", Text(entry.value)},
                 {"holder", Text(entry.holder)},
                 {"version", Text(entry.version)},
                 {"leased", Bool(entry.leased())},
                 {"start", Number(static_cast<double>(absl::ToUnixSeconds(entry.lease_start)))},
                 {"expires", Number(static_cast<double>(absl::ToUnixMillis(entry.expires)))},
                 {"token", Text(entry.fencing_token)},
                 {"origin", Text(entry.origin)}});
}

Value ShowEvent(const Event& event) {
  return Object({{"kind", Text(std::string(KindName(event.kind)))},
                 {"key", Text(event.entry.key)},
                 {"value", Text(event.entry.value)},
                 {"version", Text(event.entry.version)},
                 {"cursor", Text(event.cursor)},
                 {"winner", Text(event.winner.holder)}});
}

Value ShowError(const absl::Status& status, const std::vector<std::string>& failed) {
  if (status.ok()) return Null();
  std::vector<Value> kinds;
  const std::string reason = ReasonOf(status);
  if (!reason.empty()) kinds.push_back(Text(absl::AsciiStrToLower(reason)));
  if (reason == reason::kCursorExpired || reason == reason::kCursorInvalid) kinds.push_back(Text("cursor"));
  if (absl::IsUnavailable(status)) kinds.push_back(Text("unavailable"));
  if (absl::IsInvalidArgument(status)) kinds.push_back(Text("invalid"));
  if (absl::IsUnimplemented(status)) kinds.push_back(Text("unsupported"));
  std::map<std::string, Value> fields = {{"text", Text(status.ToString())}, {"kinds", List(kinds)}};
  if (const auto held = HeldByOf(status)) {
    fields["holder"] = Text(held->holder);
    fields["expires"] = Number(static_cast<double>(absl::ToUnixMillis(held->expires)));
  }
  fields["acked"] = Text(FactOf(status, "acked"));
  fields["not_acked"] = Text(FactOf(status, "not_acked"));
  std::vector<Value> keys;
  for (const std::string& key : failed) keys.push_back(Text(key));
  if (!failed.empty()) fields["failed"] = List(keys);
  return Object(fields);
}

std::string AnswerLine(int id, const Value& result, const Value& error) {
  std::string line;
  const Value whole = Object({{"id", Number(id)}, {"result", result}, {"error", error}});
  if (!google::protobuf::util::MessageToJsonString(whole, &line).ok()) std::abort();  // all texts are UTF-8 here
  return line;
}

}  // namespace leasemap::e2e

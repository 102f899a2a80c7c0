// The commands that write one key: set, renew and release. Each shows the result of the write.
#include <fstream>
#include <iostream>
#include <optional>
#include <string>

#include "clients/cli/commands.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/text.h"
#include "clients/cli/core/value_source.h"
#include "clients/cli/print.h"
#include "clients/cli/terminal.h"

namespace leasemap::cli {
namespace {

template <typename Response>
int ShowWritten(const Connection& connection, int exit_code, const Response& response) {
  if (exit_code != kDone) return exit_code;
  if (connection.options().json) {
    PrintJson(response.entry());
  } else if (response.has_entry()) {
    PrintWritten(response.entry());
  }
  return kDone;
}

int SayNoValue(const std::string& where, absl::string_view what) {
  Complain() << "no value from " << where << ": " << what << "\n";
  return kWrongUse;
}

// The value that the argument names (see ParseValueSource). Another exit code than kDone: there is none, which was
// said.
int TakeValue(const std::optional<std::string>& argument, std::string& value) {
  const absl::StatusOr<ValueSource> source = ParseValueSource(argument);
  if (!source.ok()) return SayNoValue("the argument", source.status().message());
  if (source->kind == ValueSource::Kind::kText) {
    value = source->text;
    return kDone;
  }
  if (!argument && IsTerminal(Stream::kIn)) {
    return SayNoValue("standard input", "it is a terminal; give VALUE, or @FILE, or - to type the value here");
  }
  const bool from_file = source->kind == ValueSource::Kind::kFile;
  const std::string where = from_file ? "the file " + Escape(source->text) : "standard input";
  std::ifstream file;
  if (from_file) {
    file.open(source->text, std::ios::binary);
    if (!file) return SayNoValue(where, "it cannot be opened (a value that begins with @ is written with @@)");
  }
  const absl::StatusOr<std::string> read = ReadValue(from_file ? file : std::cin);
  if (!read.ok()) return SayNoValue(where, read.status().message());
  value = *read;
  return kDone;
}

}  // namespace

int Set(Connection& connection) {
  const Options& options = connection.options();
  v1::SetRequest request;
  v1::SetResponse response;
  PutKey(options.key, request);
  std::string value;
  if (const int exit_code = TakeValue(options.value, value); exit_code != kDone) return exit_code;
  PutValue(value, request);
  if (options.lease) PutDuration(*options.lease, *request.mutable_lease_duration());
  request.set_holder(options.holder);
  request.set_if_version(options.if_version);
  request.set_if_absent(options.if_absent);
  if (options.ephemeral) request.set_on_lapse(v1::ON_LAPSE_DELETE);
  request.set_ack(options.ack);
  request.set_ack_nodes(options.ack_nodes);
  request.set_request_id(options.request_id);
  request.set_validate_only(options.validate_only);
  const int exit_code = connection.Call(&v1::KeyValue::Stub::Set, request, response);
  return ShowWritten(connection, exit_code, response);
}

int Renew(Connection& connection) {
  const Options& options = connection.options();
  v1::RenewRequest request;
  v1::RenewResponse response;
  PutKey(options.key, request);
  request.set_holder(options.holder);
  if (options.lease) PutDuration(*options.lease, *request.mutable_lease_duration());
  request.set_only_if_held(options.only_if_held);
  request.set_if_version(options.if_version);
  request.set_min_version(options.min_version);
  const int exit_code = connection.Call(&v1::KeyValue::Stub::Renew, request, response);
  return ShowWritten(connection, exit_code, response);
}

int Release(Connection& connection) {
  v1::ReleaseRequest request;
  v1::ReleaseResponse response;
  PutKey(connection.options().key, request);
  request.set_holder(connection.options().holder);
  request.set_if_version(connection.options().if_version);
  request.set_min_version(connection.options().min_version);
  const int exit_code = connection.Call(&v1::KeyValue::Stub::Release, request, response);
  return ShowWritten(connection, exit_code, response);
}

}  // namespace leasemap::cli

// The commands that write one key: set, renew and release. Each shows what the write left behind.
#include <iostream>
#include <iterator>
#include <string>

#include "clients/cli/commands.h"
#include "clients/cli/core/request.h"
#include "clients/cli/print.h"

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

}  // namespace

int Set(Connection& connection) {
  const Options& options = connection.options();
  v1::SetRequest request;
  v1::SetResponse response;
  PutKey(options.key, request);
  if (options.value == "-") {
    PutValue(std::string(std::istreambuf_iterator<char>(std::cin), {}), request);
  } else {
    PutValue(options.value, request);
  }
  if (options.lease) PutDuration(*options.lease, *request.mutable_lease_duration());
  request.set_holder(options.holder);
  request.set_if_version(options.if_version);
  request.set_if_absent(options.if_absent);
  if (options.ephemeral) request.set_on_lapse(v1::ON_LAPSE_DELETE);
  request.set_ack(options.ack);
  request.set_ack_nodes(options.ack_nodes);
  request.set_request_id(options.request_id);
  request.set_validate_only(options.validate_only);
  const int exit_code = connection.Call(connection.key_value(), &v1::KeyValue::Stub::Set, request, response);
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
  const int exit_code = connection.Call(connection.key_value(), &v1::KeyValue::Stub::Renew, request, response);
  return ShowWritten(connection, exit_code, response);
}

int Release(Connection& connection) {
  v1::ReleaseRequest request;
  v1::ReleaseResponse response;
  PutKey(connection.options().key, request);
  request.set_holder(connection.options().holder);
  request.set_if_version(connection.options().if_version);
  request.set_min_version(connection.options().min_version);
  const int exit_code = connection.Call(connection.key_value(), &v1::KeyValue::Stub::Release, request, response);
  return ShowWritten(connection, exit_code, response);
}

}  // namespace leasemap::cli

// The commands for one key (get set del renew release) and for the list of keys (ls).
#include <algorithm>
#include <iostream>
#include <iterator>
#include <string>

#include "clients/cli/commands.h"
#include "clients/cli/core/request.h"
#include "clients/cli/print.h"

namespace leasemap::cli {
namespace {

// The most that one page of List can hold.
constexpr uint64_t kPageSize = 1000;

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

template <typename Request>
void PutAcks(const Options& options, Request& request) {
  request.set_ack(options.ack);
  request.set_ack_nodes(options.ack_nodes);
  request.set_request_id(options.request_id);
}

v1::ListRequest ListRequestFor(const Options& options) {
  v1::ListRequest request;
  if (options.prefix) {
    IsUtf8(*options.prefix) ? request.set_prefix(*options.prefix) : request.set_prefix_bytes(*options.prefix);
  }
  if (options.start_key) {
    IsUtf8(*options.start_key) ? request.set_start_key(*options.start_key)
                               : request.set_start_key_bytes(*options.start_key);
  }
  if (options.end_key) {
    IsUtf8(*options.end_key) ? request.set_end_key(*options.end_key) : request.set_end_key_bytes(*options.end_key);
  }
  request.set_keys_only(options.keys_only);
  return request;
}

}  // namespace

int Get(Connection& connection) {
  v1::GetRequest request;
  v1::GetResponse response;
  PutKey(connection.options().key, request);
  request.set_min_version(connection.options().min_version);
  const int exit_code = connection.Call(connection.key_value(), &v1::KeyValue::Stub::Get, request, response);
  if (exit_code != kDone) return exit_code;
  if (connection.options().json) {
    PrintJson(response.entry());
  } else {
    PrintValue(response.entry());
  }
  return kDone;
}

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
  PutAcks(options, request);
  request.set_validate_only(options.validate_only);
  const int exit_code = connection.Call(connection.key_value(), &v1::KeyValue::Stub::Set, request, response);
  return ShowWritten(connection, exit_code, response);
}

int Delete(Connection& connection) {
  const Options& options = connection.options();
  v1::DeleteRequest request;
  v1::DeleteResponse response;
  PutKey(options.key, request);
  request.set_holder(options.holder);
  request.set_if_version(options.if_version);
  request.set_allow_missing(options.allow_missing);
  PutAcks(options, request);
  const int exit_code = connection.Call(connection.key_value(), &v1::KeyValue::Stub::Delete, request, response);
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

int List(Connection& connection) {
  const Options& options = connection.options();
  v1::ListRequest request = ListRequestFor(options);
  uint64_t left = options.limit > 0 ? options.limit : UINT64_MAX;
  do {
    request.set_page_size(static_cast<int32_t>(std::min(left, kPageSize)));
    v1::ListResponse page;
    const int exit_code = connection.Call(connection.key_value(), &v1::KeyValue::Stub::List, request, page);
    if (exit_code != kDone) return exit_code;
    for (const v1::Entry& entry : page.entries()) {
      if (left == 0) break;
      options.json ? PrintJson(entry) : PrintListed(entry);
      --left;
    }
    request.set_page_token(page.next_page_token());
  } while (left > 0 && !request.page_token().empty() && std::cout);
  return kDone;
}

}  // namespace leasemap::cli

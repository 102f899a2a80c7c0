// The commands about the asked node and its cluster: members, forget, leave, status, explain, conflicts, healthcheck.
#include <iostream>
#include <vector>

#include "clients/cli/commands.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/text.h"
#include "clients/cli/print.h"

namespace leasemap::cli {

int Members(Connection& connection) {
  v1::ListMembersResponse response;
  const int exit_code = connection.Call(&v1::Mesh::Stub::ListMembers, v1::ListMembersRequest(), response);
  if (exit_code != kDone) return exit_code;
  if (connection.options().json) {
    for (const v1::Member& member : response.members()) PrintJson(member, true);
  } else {
    PrintMembers(response);
  }
  return kDone;
}

int Forget(Connection& connection) {
  v1::ForgetRequest request;
  v1::ForgetResponse response;
  request.set_node_id(connection.options().node_id);
  return connection.Call(&v1::Mesh::Stub::Forget, request, response);
}

int Leave(Connection& connection) {
  v1::LeaveRequest request;
  v1::LeaveResponse response;
  request.set_node_id(connection.options().node_id);
  if (request.node_id().empty()) {
    // Whichever node answers this one leaves, and no other.
    v1::GetStatusResponse status;
    const int exit_code = connection.Call(&v1::Mesh::Stub::GetStatus, v1::GetStatusRequest(), status);
    if (exit_code != kDone) return exit_code;
    request.set_node_id(status.node_id());
  }
  const int exit_code = connection.Call(&v1::Mesh::Stub::Leave, request, response);
  if (exit_code == kDone && !connection.options().json) {
    std::cout << Escape(request.node_id()) << " leaves the cluster and shuts down\n";
  }
  return exit_code;
}

int Status(Connection& connection) {
  v1::GetStatusResponse response;
  const int exit_code = connection.Call(&v1::Mesh::Stub::GetStatus, v1::GetStatusRequest(), response);
  if (exit_code != kDone) return exit_code;
  if (connection.options().json) {
    PrintJson(response, true);
  } else {
    PrintStatus(response);
  }
  return kDone;
}

int Explain(Connection& connection) {
  v1::ExplainRequest request;
  v1::ExplainResponse response;
  PutKey(connection.options().key, request);
  const int exit_code = connection.Call(&v1::Mesh::Stub::Explain, request, response);
  if (exit_code != kDone) return exit_code;
  if (connection.options().json) {
    for (const v1::MemberView& view : response.views()) PrintJson(view, true);
  } else {
    PrintViews(response);
  }
  return kDone;
}

int Conflicts(Connection& connection) {
  // The pages come from the latest on, each with its oldest first. A node keeps 32 MiB of them at most.
  std::vector<v1::ListConflictsResponse> pages;
  v1::ListConflictsRequest request;
  request.set_keys_only(!connection.options().json);
  do {
    const int exit_code = connection.Call(&v1::Mesh::Stub::ListConflicts, request, pages.emplace_back());
    if (exit_code != kDone) return exit_code;
    request.set_page_token(pages.back().next_page_token());
  } while (!request.page_token().empty());
  v1::ListConflictsResponse all;
  for (auto page = pages.rbegin(); page != pages.rend(); ++page) all.MergeFrom(*page);
  all.set_total(pages.front().total());
  if (connection.options().json) {
    for (const v1::Conflict& conflict : all.conflicts()) PrintJson(conflict);
  } else {
    PrintConflicts(all);
  }
  return kDone;
}

int Healthcheck(Connection& connection) {
  using grpc::health::v1::HealthCheckResponse;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(connection.options().service);
  HealthCheckResponse response;
  const int exit_code = connection.Call(&grpc::health::v1::Health::Stub::Check, request, response);
  if (exit_code != kDone) return exit_code;
  if (connection.options().json) {
    PrintJson(response, true);
  } else {
    std::cout << HealthCheckResponse::ServingStatus_Name(response.status()) << "\n";
  }
  return response.status() == HealthCheckResponse::SERVING ? kDone : kRefused;
}

}  // namespace leasemap::cli

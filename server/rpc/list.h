// List: one page of the map in key order, and the token that the next page starts from.
#pragma once

#include "absl/status/status.h"
#include "leasemap/v1/key_value.pb.h"
#include "server/host/node_host.h"
#include "server/rpc/caller.h"

namespace leasemap::rpc {

absl::Status List(const host::NodeHost& host, const Caller& caller, const v1::ListRequest& request,
                  v1::ListResponse* response);

}  // namespace leasemap::rpc

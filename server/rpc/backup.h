// Mesh.Backup and Mesh.Restore: the map as the bytes of a backup file (docs/backup.md), out and in.
//
// A backup reads the map a page at a time, when its client has taken the one before: it holds one page. A restore holds
// the entries of the file until it was read to its end and found right, and then gives them to the node.
#pragma once

#include <atomic>
#include <cstddef>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "grpcpp/support/server_callback.h"
#include "leasemap/v1/mesh.pb.h"
#include "server/host/node_host.h"
#include "server/rpc/caller.h"
#include "server/rpc/gate.h"

namespace leasemap::rpc {

class Backups {
 public:
  // Each holds a page of the map in memory, and reads all of it: more would take much from other calls.
  static constexpr int kMaxBackups = 4;

  Backups(host::NodeHost& host, const Gate& gate) : host_(host), gate_(gate) {}

  grpc::ServerWriteReactor<v1::BackupResponse>* Backup(grpc::CallbackServerContext& context,
                                                       const v1::BackupRequest& request);
  grpc::ServerReadReactor<v1::RestoreRequest>* Restore(grpc::CallbackServerContext& context,
                                                       v1::RestoreResponse* response);

 private:
  friend class BackupStream;
  friend class RestoreCall;
  // Counts one more as `running`, or says why there may be no more: `most` run already, or the caller may not. What has
  // begun ends when its caller loses the right to it (Gate::StillAdministers).
  absl::StatusOr<Caller> Begin(grpc::CallbackServerContext& context, const google::protobuf::Message& request,
                               std::atomic<int>& running, int most, const char* what);

  host::NodeHost& host_;
  const Gate& gate_;
  std::atomic<int> backups_{0}, restores_{0};  // that run
};

}  // namespace leasemap::rpc

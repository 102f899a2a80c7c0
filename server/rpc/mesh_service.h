// leasemap.v1.Mesh: the mesh as this node sees it, and short messages over it. Served also while the node is not ready.
#pragma once

#include <functional>
#include <utility>

#include "leasemap/v1/mesh.grpc.pb.h"
#include "server/host/node_host.h"
#include "server/rpc/backup.h"
#include "server/rpc/certificates.h"
#include "server/rpc/gate.h"
#include "server/rpc/subscribers.h"
#include "server/rpc/watch_hub.h"

namespace leasemap::rpc {

class MeshService final : public v1::Mesh::CallbackService {
 public:
  // `certificates`: null for plain text.
  MeshService(host::NodeHost& host, const Gate& gate, Subscribers& subscribers, const WatchHub& watches,
              const Certificates* certificates)
      : host_(host),
        gate_(gate),
        subscribers_(subscribers),
        watches_(watches),
        certificates_(certificates),
        backups_(host, gate) {}
  // What begins the shutdown that Leave asks for; it does not wait for it. Before the server starts.
  void OnLeave(std::function<void()> leave) { leave_ = std::move(leave); }

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext*, const v1::GetStatusRequest*,
                                      v1::GetStatusResponse*) override;
  grpc::ServerUnaryReactor* ListMembers(grpc::CallbackServerContext*, const v1::ListMembersRequest*,
                                        v1::ListMembersResponse*) override;
  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext*, const v1::ExplainRequest*,
                                    v1::ExplainResponse*) override;
  grpc::ServerUnaryReactor* ListConflicts(grpc::CallbackServerContext*, const v1::ListConflictsRequest*,
                                          v1::ListConflictsResponse*) override;
  grpc::ServerUnaryReactor* Broadcast(grpc::CallbackServerContext*, const v1::BroadcastRequest*,
                                      v1::BroadcastResponse*) override;
  grpc::ServerWriteReactor<v1::SubscribeResponse>* Subscribe(grpc::CallbackServerContext*,
                                                             const v1::SubscribeRequest*) override;
  grpc::ServerUnaryReactor* Forget(grpc::CallbackServerContext*, const v1::ForgetRequest*,
                                   v1::ForgetResponse*) override;
  grpc::ServerWriteReactor<v1::BackupResponse>* Backup(grpc::CallbackServerContext* context,
                                                       const v1::BackupRequest* request) override {
    return backups_.Backup(*context, *request);
  }
  grpc::ServerReadReactor<v1::RestoreRequest>* Restore(grpc::CallbackServerContext* context,
                                                       v1::RestoreResponse* response) override {
    return backups_.Restore(*context, response);
  }
  grpc::ServerUnaryReactor* Leave(grpc::CallbackServerContext*, const v1::LeaveRequest*, v1::LeaveResponse*) override;

 private:
  void SetPrincipals(const Caller& caller, v1::GetStatusResponse* out) const;
  // An administrator's call that is about `node`: does it if the caller may, and says so in the audit log.
  template <typename Request, typename Do>
  grpc::ServerUnaryReactor* Administer(grpc::CallbackServerContext* context, const Request& request,
                                       const std::string& node, Do act);

  host::NodeHost& host_;
  const Gate& gate_;
  Subscribers& subscribers_;
  const WatchHub& watches_;
  const Certificates* const certificates_;
  Backups backups_;
  std::function<void()> leave_ = [] {};
};

}  // namespace leasemap::rpc

// leasemap.v1.KeyValue. A unary call is carried through on the thread that it came in on, unless it has to wait for
// others (waiting_call.h).
#pragma once

#include <memory>
#include <vector>

#include "leasemap/v1/key_value.grpc.pb.h"
#include "server/host/node_host.h"
#include "server/rpc/caller.h"
#include "server/rpc/convert.h"
#include "server/rpc/gate.h"
#include "server/rpc/waiting_call.h"
#include "server/rpc/watch_hub.h"

namespace leasemap::rpc {

class KeyValueService final : public v1::KeyValue::CallbackService {
 public:
  KeyValueService(host::NodeHost& host, const Gate& gate, WatchHub& hub) : host_(host), gate_(gate), hub_(hub) {}

  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext*, const v1::GetRequest*, v1::GetResponse*) override;
  grpc::ServerUnaryReactor* Set(grpc::CallbackServerContext*, const v1::SetRequest*, v1::SetResponse*) override;
  grpc::ServerUnaryReactor* Delete(grpc::CallbackServerContext*, const v1::DeleteRequest*,
                                   v1::DeleteResponse*) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext*, const v1::RenewRequest*, v1::RenewResponse*) override;
  grpc::ServerUnaryReactor* Release(grpc::CallbackServerContext*, const v1::ReleaseRequest*,
                                    v1::ReleaseResponse*) override;
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext*, const v1::ListRequest*, v1::ListResponse*) override;
  grpc::ServerUnaryReactor* BatchGet(grpc::CallbackServerContext*, const v1::BatchGetRequest*,
                                     v1::BatchGetResponse*) override;
  grpc::ServerUnaryReactor* BatchSet(grpc::CallbackServerContext*, const v1::BatchSetRequest*,
                                     v1::BatchSetResponse*) override;
  grpc::ServerUnaryReactor* BatchDelete(grpc::CallbackServerContext*, const v1::BatchDeleteRequest*,
                                        v1::BatchDeleteResponse*) override;
  grpc::ServerUnaryReactor* BatchRenew(grpc::CallbackServerContext*, const v1::BatchRenewRequest*,
                                       v1::BatchRenewResponse*) override;
  grpc::ServerBidiReactor<v1::WriteRequest, v1::WriteResponse>* Write(grpc::CallbackServerContext*) override;
  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext*, const v1::WatchRequest*) override;

 private:
  static grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context, const absl::Status& status);
  // The core's command, if the caller may write so, and the request is right.
  template <typename Request>
  static absl::StatusOr<core::WriteCommand> CommandOf(const Caller& caller, const Request& request) {
    if (auto status = caller.MayWrite(KeyOf(request), request.holder()); !status.ok()) return status;
    auto command = FromProto(request, caller.default_holder());
    if (command.ok()) command->owner_may = caller.may_own();
    return command;
  }
  // A call with these steps, once the request's min_version has come.
  template <typename Request>
  grpc::ServerUnaryReactor* OnceHere(grpc::CallbackServerContext* context, const Request& request,
                                     std::vector<WaitingCall::Step> steps);
  // Writes, and lets `settle` make the answer: at once, or after what the request, or the disk, makes it wait for.
  // `settle` gets the written entry; null: there was nothing to change.
  template <typename Request, typename Settle>
  grpc::ServerUnaryReactor* WriteThen(grpc::CallbackServerContext* context, const Request& request, Settle settle);
  // Begins a write in the name of the call. Its end is put into `outcome`, which lives as long as the call.
  void Submit(WaitingCall& call, const WriteLine& line, const core::WriteCommand& command,
              core::Effects::Answered* outcome);
  bool HasEnded(const std::string& key, const v1::Entry& written) const;
  // Why an item is refused: the caller may not, or its min_version did not come. OK: it is not.
  using Waited = std::shared_ptr<std::vector<absl::Status>>;
  template <typename Request>
  grpc::ServerUnaryReactor* BatchOnceHere(grpc::CallbackServerContext* context, const Request& request,
                                          const Waited& waited, std::vector<WaitingCall::Step> steps);
  template <typename Item>
  void WriteItem(WaitingCall& call, const Caller& caller, const Item& item, int64_t patience_ms,
                 v1::BatchResult* result);
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* BatchWrite(grpc::CallbackServerContext* context, const Request& request,
                                       Response* response);
  host::NodeHost& host_;
  const Gate& gate_;
  WatchHub& hub_;
};

}  // namespace leasemap::rpc

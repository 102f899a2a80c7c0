// leasemap.v1.KeyValue. A unary call is carried through on the thread that it came in on, unless it has to wait for
// others (waiting_call.h).
#pragma once

#include "leasemap/v1/key_value.grpc.pb.h"
#include "server/host/node_host.h"
#include "server/rpc/convert.h"
#include "server/rpc/gate.h"
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
  template <typename Request, typename Answer>
  grpc::ServerUnaryReactor* OnceHere(grpc::CallbackServerContext* context, const Request& request, Answer answer);
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* WriteAcked(grpc::CallbackServerContext* context, const Request* request,
                                       Response* response);
  bool HasEnded(const std::string& key, const v1::Entry& written) const;
  template <typename Request, typename Response, typename Answer>
  grpc::ServerUnaryReactor* BatchOnceHere(grpc::CallbackServerContext* context, const Request& request,
                                          Response* response, Answer answer);
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* BatchWrite(grpc::CallbackServerContext* context, const Request& request,
                                       Response* response);
  // Writes at once. `changed`: there was something to change, and `out` is the present entry.
  template <typename Request>
  absl::Status WriteOne(const Request& request, v1::Entry* out, bool* changed) {
    const auto command = FromProto(request, host_.options().node_id);
    if (!command.ok()) return command.status();
    const auto entry = host_.Write(*command);
    if (!entry.ok()) return entry.status();
    *changed = *entry != nullptr;
    if (*changed) ToProto(**entry, false, out);
    return absl::OkStatus();
  }

  host::NodeHost& host_;
  const Gate& gate_;
  WatchHub& hub_;
};

}  // namespace leasemap::rpc

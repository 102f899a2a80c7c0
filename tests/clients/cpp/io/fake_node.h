// Nodes that do what a test says, for the parts of the C++ client that decide between nodes. They have no map: a Set or
// Renew is granted to everybody, and a watch is refused.
#pragma once

#include <grpcpp/server.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "leasemap/v1/key_value.grpc.pb.h"

namespace leasemap::internal {

// What nodes were asked, and how they answer; several nodes may share one.
class Script {
 public:
  // A request, and the node that got it.
  template <typename Request>
  struct Asked {
    std::string node;
    Request request;
  };
  // The answer to the n-th Set (from 0), or BatchRenew; unset: OK.
  using Answer = std::function<grpc::Status(size_t)>;
  void AnswerSets(Answer answer);
  void AnswerRenewals(Answer answer);

  std::vector<Asked<v1::SetRequest>> sets() const;
  std::vector<Asked<v1::BatchSetRequest>> batches() const;
  std::vector<Asked<v1::BatchRenewRequest>> renewals() const;

  grpc::Status Add(const std::string& node, const v1::SetRequest& request);
  grpc::Status Add(const std::string& node, const v1::BatchRenewRequest& request);
  void Add(const std::string& node, const v1::BatchSetRequest& request);
  void AddRelease();
  int releases() const;

 private:
  mutable absl::Mutex mutex_;  // guards what follows
  Answer on_set_ ABSL_GUARDED_BY(mutex_), on_renewal_ ABSL_GUARDED_BY(mutex_);
  int releases_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Asked<v1::SetRequest>> sets_ ABSL_GUARDED_BY(mutex_);
  std::vector<Asked<v1::BatchSetRequest>> batches_ ABSL_GUARDED_BY(mutex_);
  std::vector<Asked<v1::BatchRenewRequest>> renewals_ ABSL_GUARDED_BY(mutex_);
};

// An error of Leasemap's own.
grpc::Status Refusal(grpc::StatusCode code, const std::string& reason);

class FakeNode final : public v1::KeyValue::Service {
 public:
  explicit FakeNode(Script& script);
  ~FakeNode() override;

  // host:port, of a port that the kernel chose.
  const std::string& target() const { return target_; }
  // It answers nothing any more.
  void Stop();

  grpc::Status Get(grpc::ServerContext*, const v1::GetRequest*, v1::GetResponse*) override;
  grpc::Status Set(grpc::ServerContext*, const v1::SetRequest* request, v1::SetResponse* answer) override;
  grpc::Status Renew(grpc::ServerContext*, const v1::RenewRequest* request, v1::RenewResponse* answer) override;
  grpc::Status Release(grpc::ServerContext*, const v1::ReleaseRequest* request, v1::ReleaseResponse* answer) override;
  grpc::Status BatchSet(grpc::ServerContext*, const v1::BatchSetRequest* request,
                        v1::BatchSetResponse* answer) override;
  grpc::Status BatchRenew(grpc::ServerContext*, const v1::BatchRenewRequest* request,
                          v1::BatchRenewResponse* answer) override;

 private:
  Script& script_;
  std::string target_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace leasemap::internal

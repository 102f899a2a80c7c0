#include "tests/clients/cpp/io/fake_node.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>

#include "absl/time/clock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace leasemap::internal {
namespace {

// An entry whose lease is live, and began with the test.
v1::Entry Grant(const std::string& key, const std::string& holder) {
  static const int64_t kStart = absl::ToUnixSeconds(absl::Now());
  v1::Entry entry;
  entry.set_key_bytes(key);
  entry.set_version("v1");
  entry.set_origin("fake");
  entry.mutable_update_time()->set_seconds(kStart);
  entry.mutable_lease()->set_holder(holder);
  entry.mutable_lease()->set_fencing_token(std::string(32, '1'));
  entry.mutable_lease()->mutable_start_time()->set_seconds(kStart);
  entry.mutable_lease()->mutable_expire_time()->set_seconds(kStart + 3600);
  return entry;
}

}  // namespace

void Script::AnswerSets(Answer answer) {
  absl::MutexLock lock(&mutex_);
  on_set_ = std::move(answer);
}
void Script::AnswerRenewals(Answer answer) {
  absl::MutexLock lock(&mutex_);
  on_renewal_ = std::move(answer);
}

std::vector<Script::Asked<v1::SetRequest>> Script::sets() const {
  absl::MutexLock lock(&mutex_);
  return sets_;
}
std::vector<Script::Asked<v1::BatchSetRequest>> Script::batches() const {
  absl::MutexLock lock(&mutex_);
  return batches_;
}
std::vector<Script::Asked<v1::BatchRenewRequest>> Script::renewals() const {
  absl::MutexLock lock(&mutex_);
  return renewals_;
}

grpc::Status Script::Add(const std::string& node, const v1::SetRequest& request) {
  absl::MutexLock lock(&mutex_);
  sets_.push_back({node, request});
  return on_set_ ? on_set_(sets_.size() - 1) : grpc::Status::OK;
}
grpc::Status Script::Add(const std::string& node, const v1::BatchRenewRequest& request) {
  absl::MutexLock lock(&mutex_);
  renewals_.push_back({node, request});
  return on_renewal_ ? on_renewal_(renewals_.size() - 1) : grpc::Status::OK;
}
void Script::AddRelease() {
  const absl::MutexLock lock(&mutex_);
  ++releases_;
}

int Script::releases() const {
  const absl::MutexLock lock(&mutex_);
  return releases_;
}

void Script::Add(const std::string& node, const v1::BatchSetRequest& request) {
  absl::MutexLock lock(&mutex_);
  batches_.push_back({node, request});
}

grpc::Status Refusal(grpc::StatusCode code, const std::string& reason) {
  google::rpc::ErrorInfo info;
  info.set_domain("leasemap");
  info.set_reason(reason);
  google::rpc::Status status;
  status.add_details()->PackFrom(info);
  return {code, reason, status.SerializeAsString()};
}

FakeNode::FakeNode(Script& script) : script_(script) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  target_ = "127.0.0.1:" + std::to_string(port);
}

FakeNode::~FakeNode() { Stop(); }

void FakeNode::Stop() { server_->Shutdown(std::chrono::system_clock::now()); }

grpc::Status FakeNode::Get(grpc::ServerContext*, const v1::GetRequest*, v1::GetResponse*) {
  return Refusal(grpc::StatusCode::NOT_FOUND, "KEY_NOT_FOUND");
}

grpc::Status FakeNode::Set(grpc::ServerContext*, const v1::SetRequest* request, v1::SetResponse* answer) {
  *answer->mutable_entry() = Grant(request->key_bytes(), request->holder());
  return script_.Add(target_, *request);
}

grpc::Status FakeNode::Renew(grpc::ServerContext*, const v1::RenewRequest* request, v1::RenewResponse* answer) {
  *answer->mutable_entry() = Grant(request->key_bytes(), request->holder());
  return grpc::Status::OK;
}

grpc::Status FakeNode::Release(grpc::ServerContext*, const v1::ReleaseRequest* request, v1::ReleaseResponse* answer) {
  script_.AddRelease();
  *answer->mutable_entry() = Grant(request->key_bytes(), request->holder());
  return grpc::Status::OK;
}

grpc::Status FakeNode::BatchSet(grpc::ServerContext*, const v1::BatchSetRequest* request,
                                v1::BatchSetResponse* answer) {
  for (const v1::SetRequest& each : request->requests()) {
    v1::BatchResult& result = *answer->add_results();
    if (each.key_bytes() == "held") {
      result.mutable_status()->set_code(grpc::StatusCode::FAILED_PRECONDITION);
      result.mutable_status()->set_reason("LEASE_HELD");
    } else {
      *result.mutable_entry() = Grant(each.key_bytes(), each.holder());
    }
  }
  script_.Add(target_, *request);
  return grpc::Status::OK;
}

grpc::Status FakeNode::BatchRenew(grpc::ServerContext*, const v1::BatchRenewRequest* request,
                                  v1::BatchRenewResponse* answer) {
  for (const v1::RenewRequest& each : request->requests()) {
    *answer->add_results()->mutable_entry() = Grant(each.key_bytes(), each.holder());
  }
  return script_.Add(target_, *request);
}

}  // namespace leasemap::internal

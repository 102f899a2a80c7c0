// A server on free ports and a client of it, and the reasons of errors.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "leasemap/v1/key_value.grpc.pb.h"
#include "leasemap/v1/mesh.grpc.pb.h"
#include "server/rpc/server.h"
#include "tests/matchers/status.h"
#include "tests/support/eventually.h"

namespace leasemap::rpc {

inline std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  for (const auto& any : details.details()) {
    google::rpc::ErrorInfo info;
    if (any.UnpackTo(&info)) return info.domain() == "leasemap" ? info.reason() : "?";
  }
  return "";
}

// The reason of the error: EXPECT_THAT(node.Get("k"), HasReason("KEY_NOT_FOUND")).
MATCHER_P(HasReason, reason, absl::StrCat(negation ? "has not" : "has", " the reason ", reason)) {
  *result_listener << "which is " << StatusText(arg) << ", with the reason \"" << ReasonOf(arg) << '"';
  return ReasonOf(arg) == reason;
}

class OneNode {
 public:
  explicit OneNode(const std::string& id = "node-1", std::vector<std::string> seeds = {}, bool leasing = true,
                   Limits limits = {}) {
    core::NodeOptions options;
    options.node_id = id;
    options.seeds = std::move(seeds);
    options.rules.leasing = leasing;
    options.seed = std::hash<std::string>()(id);
    server = std::make_unique<Server>(options, "127.0.0.1:0", "127.0.0.1:0", limits);
    const auto status = server->Start();
    EXPECT_THAT(status, IsOk());
    grpc::ChannelArguments arguments;
    arguments.SetInt("test.unshared", server->port());  // a channel of its own for each server
    channel = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server->port()), grpc::InsecureChannelCredentials(),
                                        arguments);
    kv = v1::KeyValue::NewStub(channel);
    mesh = v1::Mesh::NewStub(channel);
    EXPECT_TRUE(testing::Eventually([&] { return server->host().ready(); }));
  }
  std::string mesh_address() const { return absl::StrCat("127.0.0.1:", server->mesh_port()); }

  grpc::Status Set(const v1::SetRequest& request, v1::Entry* entry = nullptr) {
    grpc::ClientContext context;
    v1::SetResponse response;
    const auto status = kv->Set(&context, request, &response);
    if (entry) *entry = response.entry();
    return status;
  }
  grpc::Status Set(const std::string& key, const std::string& value, v1::Entry* entry = nullptr) {
    v1::SetRequest request;
    request.set_key(key);
    request.set_value(value);
    return Set(request, entry);
  }
  grpc::Status Get(const std::string& key, v1::Entry* entry = nullptr) {
    grpc::ClientContext context;
    v1::GetRequest request;
    request.set_key(key);
    v1::GetResponse response;
    const auto status = kv->Get(&context, request, &response);
    if (entry) *entry = response.entry();
    return status;
  }
  grpc::Status Delete(const std::string& key, bool allow_missing = false, const std::string& holder = "") {
    grpc::ClientContext context;
    v1::DeleteRequest request;
    request.set_key(key);
    request.set_holder(holder);
    request.set_allow_missing(allow_missing);
    v1::DeleteResponse response;
    return kv->Delete(&context, request, &response);
  }

  v1::GetStatusResponse Status() {
    grpc::ClientContext context;
    v1::GetStatusResponse response;
    EXPECT_THAT(mesh->GetStatus(&context, {}, &response), IsOk());
    return response;
  }

  std::unique_ptr<Server> server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::KeyValue::Stub> kv;
  std::unique_ptr<v1::Mesh::Stub> mesh;
};

}  // namespace leasemap::rpc

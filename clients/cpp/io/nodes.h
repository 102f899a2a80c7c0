// The nodes of a client and its connections to them. Of the loop, but for what says so.
#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "clients/cpp/core/endpoints.h"
#include "clients/cpp/io/access.h"
#include "leasemap/v1/key_value.grpc.pb.h"
#include "leasemap/v1/mesh.grpc.pb.h"

namespace leasemap::internal {

// The addresses that endpoints mean, as host:port: a name means all its addresses, each of which is a node.
struct Addresses {
  std::vector<std::string> targets;
  // Of each target the endpoint that it comes from: by that name TLS knows the node.
  absl::flat_hash_map<std::string, std::string> names;
};
// Waits for the system's resolver. A name that can't be looked up now stays one.
Addresses LookUp(const std::vector<std::string>& endpoints);

class Nodes {
 public:
  // `endpoints` as SplitEndpoints makes them, one at least. The access must live as long.
  Nodes(std::vector<std::string> endpoints, Access& access);

  // Before any call. OK, or what the access has against one of them.
  absl::Status Check() const;

  // The node to ask now.
  const std::string& Pick();
  absl::Duration Pause() const;
  void Failed(const std::string& target);
  void Worked(const std::string& target) { endpoints_.Worked(target); }

  // The node's calls, by a connection that is made when it is first asked for.
  template <typename Service = v1::KeyValue>
  typename Service::Stub& Stub(const std::string& target) {
    return *std::get<std::unique_ptr<typename Service::Stub>>(Connected(target).stubs);
  }

  // The names are to be looked up again: what they stand for may have changed. At most once in the longest pause, and
  // one at a time; with addresses alone never.
  bool WantsLookUp();
  void Found(const Addresses& found);
  const std::vector<std::string>& given() const { return given_; }

  // Any thread: the node that is asked now.
  std::string home() const;

 private:
  struct Connection {
    std::tuple<std::unique_ptr<v1::KeyValue::Stub>, std::unique_ptr<v1::Mesh::Stub>> stubs;
    Access::FileStates files;  // of which it was made
  };
  Connection& Connected(const std::string& target);

  const std::vector<std::string> given_;
  Access& access_;
  bool named_ = false;  // one of the endpoints is a name
  bool looking_ = false;
  Moment looked_;
  absl::flat_hash_map<std::string, std::string> names_;
  Endpoints endpoints_;
  absl::flat_hash_map<std::string, Connection> connections_;
  mutable absl::Mutex mutex_;  // guards home_, which other threads read
  std::string home_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace leasemap::internal

// The nodes of a client and its connections to them. Of the loop, but for what says so.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "clients/cpp/core/endpoints.h"
#include "leasemap/options.h"
#include "leasemap/v1/key_value.grpc.pb.h"

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
  // `endpoints` as SplitEndpoints makes them, one at least.
  Nodes(std::vector<std::string> endpoints, std::shared_ptr<grpc::ChannelCredentials> credentials);

  // The node to ask now.
  const std::string& Pick();
  absl::Duration Pause() const;
  void Failed(const std::string& target);
  void Worked(const std::string& target) { endpoints_.Worked(target); }

  // The node's calls, by a connection that is made when it is first asked for.
  v1::KeyValue::Stub& Stub(const std::string& target);

  // The names are to be looked up again: what they stand for may have changed. At most once in the longest pause, and
  // one at a time; with addresses alone never.
  bool WantsLookUp();
  void Found(const Addresses& found);
  const std::vector<std::string>& given() const { return given_; }

  // Any thread: the node that is asked now.
  std::string home() const;

 private:
  const std::vector<std::string> given_;
  const std::shared_ptr<grpc::ChannelCredentials> credentials_;
  bool named_ = false;  // one of the endpoints is a name
  bool looking_ = false;
  Moment looked_;
  absl::flat_hash_map<std::string, std::string> names_;
  Endpoints endpoints_;
  absl::flat_hash_map<std::string, std::unique_ptr<v1::KeyValue::Stub>> stubs_;
  mutable absl::Mutex mutex_;  // guards home_, which other threads read
  std::string home_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace leasemap::internal

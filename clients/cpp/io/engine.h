// The middle of a client: its threads, its nodes, and what lives on its loop. A client, its maps, watches and leases
// share it; it ends with the client.
#pragma once

#include <grpcpp/client_context.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "clients/cpp/io/access.h"
#include "clients/cpp/io/handlers.h"
#include "clients/cpp/io/loop.h"
#include "clients/cpp/io/nodes.h"
#include "leasemap/entry.h"
#include "leasemap/options.h"

namespace leasemap::internal {

class Following;
class Keeper;
class KeyWatches;
class HeldLease;

// What shows the answered writes of this client: a map.
class WriteViewer {
 public:
  virtual ~WriteViewer() = default;
  virtual std::vector<std::string> Versions(const std::string& key) const = 0;
  virtual void Wrote(const Entry& entry, const std::vector<std::string>& before) = 0;
};

// What a write must know of the moment before it was sent.
struct Sending {
  Moment at;
  std::vector<std::pair<std::weak_ptr<WriteViewer>, std::vector<std::string>>> shown = {};
};

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  Engine(const std::vector<std::string>& endpoints, ClientOptions options);
  ~Engine();

  // Any thread:
  // What is wrong with the endpoints or options: then no call is made.
  const absl::Status& problem() const { return problem_; }
  const ClientOptions& options() const { return options_; }
  std::string holder() const;
  Handlers& handlers() { return handlers_; }
  std::string Node() const { return nodes_ ? nodes_->home() : ""; }
  bool Post(Loop::Task task) { return loop_.Post(std::move(task)); }
  // Gives up all leases, ends all that is under way, and the threads. A second call waits for the first one.
  void Close();
  // A place for one more asynchronous call; false if there is none. Each is given back by Leave.
  bool Enter();
  void Leave() { --entered_; }

  // On the loop:
  Loop& loop() { return loop_; }
  Nodes& nodes() { return *nodes_; }
  Access& access() { return *access_; }
  Keeper& keeper() { return *keeper_; }
  KeyWatches& key_watches() { return *key_watches_; }
  bool closed() const { return closed_; }
  // No lease is acquired any more.
  bool closing() const { return closing_; }

  // The nodes may know this client by a name with which its holder is to begin, and did not say yet (AskHolder).
  bool unnamed() const { return unnamed_; }
  // They know it by this name; empty: by none. The first one counts.
  void SetPrincipal(std::string_view principal);
  // The call was answered, or refused: the trailers may have the name.
  void Heard(const grpc::ClientContext& context);

  // A call failed at this node; returns the pause before the next one is asked. Watches of that node move along.
  absl::Duration NodeFailed(const std::string& target);
  // After all nodes failed: looks their names up again, by a thread of its own.
  void LookUpAgain();
  // Runs the task after the pause, or when the client is closed.
  void After(absl::Duration pause, Loop::Task task);

  Sending BeforeSending(const std::string& key) const;
  // A write was answered: the client's maps show it from now on.
  void Answered(const Entry& entry, const Sending& sent);

  void Add(grpc::ClientContext* context) { contexts_.insert(context); }
  void Remove(grpc::ClientContext* context) { contexts_.erase(context); }
  void Add(Following* following) { followings_.insert(following); }
  void Remove(Following* following) { followings_.erase(following); }
  void Add(const std::shared_ptr<WriteViewer>& viewer) { viewers_.push_back(viewer); }

 private:
  void EndAll();

  ClientOptions options_;
  absl::Status problem_;
  std::atomic<int> entered_ = 0;
  std::atomic<bool> close_begun_ = false;
  absl::Notification close_done_;
  mutable absl::Mutex name_mutex_;  // guards the holder, which all threads read
  std::string holder_ ABSL_GUARDED_BY(name_mutex_);
  bool unnamed_ = false;
  std::unique_ptr<Access> access_;  // null if there is a problem, as what follows
  std::unique_ptr<Nodes> nodes_;
  std::unique_ptr<Keeper> keeper_;
  std::unique_ptr<KeyWatches> key_watches_;
  bool closing_ = false, closed_ = false;
  absl::flat_hash_set<grpc::ClientContext*> contexts_;  // of operations under way
  absl::flat_hash_set<Following*> followings_;
  std::vector<std::weak_ptr<WriteViewer>> viewers_;
  Handlers handlers_;
  Loop loop_;  // last: it ends before what runs on it
};

}  // namespace leasemap::internal

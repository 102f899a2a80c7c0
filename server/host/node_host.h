// The shell around core::Node: one lock, one network thread, two clocks, and, with a data directory, a thread that
// saves (saver.h).
//
// A call (a gRPC thread's Get or Set, or the network thread's OnMessage) takes the lock, calls the node, and collects
// its effects; no I/O happens under the lock. They are carried out in one order (carry_out.h); those on sockets by the
// network thread. Nobody waits for anybody else: a write is answered on the thread that it came in on.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "asio/executor_work_guard.hpp"
#include "asio/io_context.hpp"
#include "asio/steady_timer.hpp"
#include "peer/core/data/mono_time.h"
#include "peer/core/node/backup.h"
#include "peer/core/node/node.h"
#include "peer/net/transport.h"
#include "peer/threads/mutex.h"
#include "server/host/memory.h"
#include "server/host/saver.h"
#include "server/host/watchdog.h"
#include "server/storage/disk.h"

namespace leasemap::host {

class NodeHost {
 public:
  struct Listeners {
    // The map, a vector, a member or readiness changed. Called on any thread, without the lock; must not block.
    std::function<void()> changed;
    // A lease was renewed, and nothing else. Likewise.
    std::function<void()> renewed;
    // A broadcast came. On the network thread; must not block.
    std::function<void(const core::Effects::Heard&)> heard;
  };

  // `memory_limit`: of the process, in bytes; 0: none is known. `disk`: null without a data directory; the node goes on
  // with the map that is there.
  NodeHost(core::NodeOptions options, std::string mesh_listen, uint64_t memory_limit = 0,
           std::unique_ptr<storage::Disk> disk = nullptr);
  ~NodeHost();
  NodeHost(const NodeHost&) = delete;

  // Set before Start.
  void SetListeners(Listeners listeners) { listeners_ = std::move(listeners); }
  // Listens and starts the network thread.
  absl::Status Start();
  // Announces to the members that this node leaves with its map, so that none waits for it. Before Stop.
  void Leave();
  // TLS of the mesh for the links from now on (Transport::SetSecurity).
  void SetSecurity(std::shared_ptr<net::Security> security, bool plain_too);
  // Of the file of rights (core::Report::rights_hash).
  void SetRightsHash(uint64_t hash);
  // Other seeds from now on.
  void SetSeeds(const std::vector<std::string>& seeds);
  // Closes links, saves what is not on the disk yet, and ends the threads. The node can still be read.
  void Stop();

  // The node's lock is stuck (watchdog.h): calls would wait for an unknown time.
  bool stuck() const { return watchdog_.stuck(); }
  std::string stuck_note() const { return watchdog_.Describe(); }
  // Ways to other machines on which large packets vanish, for people.
  std::vector<std::string> PathNotes() const { return transport_.PathNotes(); }
  // The nodes that have a link in plain text with this one.
  std::set<std::string> PlainNodes() const { return transport_.PlainNodes(); }
  // The first thing that the node waits for before it is ready, for people; empty if it is ready.
  std::string WaitsFor() const;
  bool ready() const { return ready_.load(std::memory_order_acquire); }
  // host:port that other nodes get: --advertise, or the listening address. A node that listens on every address of
  // its machine shows the one that a link found, and any:PORT before the first link.
  std::string advertised() const;
  uint16_t mesh_port() const { return transport_.port(); }
  const core::NodeOptions& options() const { return options_; }
  core::Now now() const;

  core::EntryPtr Get(std::string_view key) const;
  // The map is saved on a disk: every answer may have to wait for it.
  bool saves() const { return !data_dir_.empty(); }
  // Where; empty: nowhere.
  const std::string& data_dir() const { return data_dir_; }
  // A write that waits for nobody; only if the map is not saved.
  absl::StatusOr<core::EntryPtr> Write(const core::WriteCommand& command);

  // Calls that wait: each answers at once (an error, or no wait: 0), or else calls `done` once, when the node has the
  // answer: on any thread, without the lock, perhaps before it returns. `done` must not block.
  using Done = std::function<void(const core::Effects::Answered&)>;
  absl::StatusOr<core::Submitted> Submit(const core::WriteCommand& command, Done done);
  absl::StatusOr<core::WaitId> AwaitVersion(const std::string& version, int64_t patience_ms, Done done);
  absl::StatusOr<core::WaitId> Explain(const std::string& key, int64_t patience_ms, Done done);
  // True: `done` was not called, and never will be.
  bool CancelWait(core::WaitId wait);
  // Answers all waiting calls with the present state.
  void EndWaits();

  absl::StatusOr<core::Watch> StartWatch(core::WatchFilter filter, bool snapshot, const std::string& cursor) const;
  absl::StatusOr<core::WatchBatch> ReadWatch(core::Watch& watch) const;
  absl::StatusOr<core::BackupPage> ReadBackup(core::BackupPlace& place, size_t bytes) const;
  // Takes a map in place of an empty one (Node::CheckRestore). Then AwaitSaved tells when it is on the disk.
  absl::Status Restore(const std::vector<core::EntryPtr>& entries, const core::Image& image);
  absl::StatusOr<core::WaitId> AwaitSaved(Done done);
  absl::StatusOr<int> SendBroadcast(const std::string& to_node, const std::string& payload);
  absl::Status Forget(const std::string& node);
  core::NodeStatus GetStatus() const;
  uint64_t memory_limit() const { return memory_.limit(); }

  // Runs f(node) under the lock: for reads that need several looks at one state. f must be short.
  template <typename F>
  auto Read(F f) const {
    const Hold lock(mutex_, "Read");
    return f(std::as_const(node_));
  }

 private:
  struct Steps;
  NodeHost(core::NodeOptions options, std::string mesh_listen, uint64_t memory_limit,
           std::unique_ptr<storage::Disk>& disk, std::optional<core::Image> image);
  Saver::Callbacks SaverCallbacks();
  // Runs f(node, now) under the lock, in the name of a call, and carries out its effects.
  template <typename F>
  auto Change(F f, const char* call = "a change");
  void Await(core::WaitId wait, Done done) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckMemory(const core::WriteCommand& command);
  void Perform();
  void SetTimer();
  void LeaveLinks(core::MonoTime until);
  void EndWhenClosed();
  net::Transport::Callbacks MeshCallbacks();
  std::string Found(const std::string& local);

  const core::NodeOptions options_;
  const std::string mesh_listen_;
  const std::string data_dir_;
  Listeners listeners_;

  mutable Mutex found_mutex_;
  std::string found_ ABSL_GUARDED_BY(found_mutex_);  // the address that a link found for this node

  mutable WatchedMutex mutex_;
  core::Node node_ ABSL_GUARDED_BY(mutex_);
  core::Effects pending_ ABSL_GUARDED_BY(mutex_);  // for the network thread
  bool perform_posted_ ABSL_GUARDED_BY(mutex_) = false;
  bool timer_moved_ ABSL_GUARDED_BY(mutex_) = false;  // something is due earlier than the timer may be set to
  std::map<core::WaitId, Done> waiting_ ABSL_GUARDED_BY(mutex_);  // as many as the node bounds

  std::atomic<bool> ready_{false};
  Watchdog watchdog_;

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer timer_;                 // network thread
  std::optional<core::MonoTime> timer_due_;  // network thread; nullopt: not set; Never(): not to be set again
  net::Transport transport_;                 // network thread
  MemoryGuard memory_;
  std::thread thread_;
  const std::unique_ptr<Saver> saver_;  // null: the map is not saved
};

}  // namespace leasemap::host

// The open streams of one service: a bound on their number, and a way to reach each of them.
//
// A stream is shared by the list and by each call that is on its way to it. So it lives until the last such call has
// returned, also if gRPC is done with it meanwhile.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "peer/threads/mutex.h"

namespace leasemap::rpc {

// Whether a stream was added, or why it was not.
enum class Added { kYes, kClosed, kFull, kConnectionFull, kOwnerFull };

// How many streams are open, of how many, and which connection has most of them (as gRPC names it; empty without
// streams).
struct StreamUse {
  size_t streams = 0, most = 0;
  std::string busiest;
  size_t of_busiest = 0;
};

template <typename Stream>
class Streams {
 public:
  using Pointer = std::shared_ptr<Stream>;

  // At most `most` streams at once, and at most `per_connection` of one connection.
  explicit Streams(size_t most, size_t per_connection = SIZE_MAX) : most_(most), per_connection_(per_connection) {}

  // Whose it is, and how many of these streams may be open at once; 0: no bound.
  struct Owner {
    std::string name;
    size_t most = 0;
  };
  // `peer` is the stream's connection, as gRPC names it.
  Added Add(Pointer stream, const std::string& peer, const Owner& owner = {}) {
    const MutexLock lock(mutex_);
    if (closed_) return Added::kClosed;
    const auto of_owner = by_owner_.find(owner.name);
    if (owner.most != 0 && of_owner != by_owner_.end() && of_owner->second >= owner.most) return Added::kOwnerFull;
    const auto of_peer = by_peer_.find(peer);
    if (of_peer != by_peer_.end() && of_peer->second >= per_connection_) return Added::kConnectionFull;
    if (streams_.size() >= most_) return Added::kFull;
    ++by_peer_[peer];
    if (!owner.name.empty()) ++by_owner_[owner.name];
    const Stream* const key = stream.get();
    streams_.emplace(key, Open{std::move(stream), peer, owner.name});
    return Added::kYes;
  }

  // gRPC is done with the stream. The caller frees the returned pointer outside of its locks.
  Pointer Remove(const Stream* stream) {
    const MutexLock lock(mutex_);
    const auto it = streams_.find(stream);
    const auto of_peer = by_peer_.find(it->second.peer);
    if (--of_peer->second == 0) by_peer_.erase(of_peer);
    const auto of_owner = by_owner_.find(it->second.owner);
    if (of_owner != by_owner_.end() && --of_owner->second == 0) by_owner_.erase(of_owner);
    Pointer removed = std::move(it->second.stream);
    streams_.erase(it);
    return removed;
  }

  std::vector<Pointer> All() const {
    const MutexLock lock(mutex_);
    return Copy();
  }
  // Takes no stream any more, and returns those that are open.
  std::vector<Pointer> Close() {
    const MutexLock lock(mutex_);
    closed_ = true;
    return Copy();
  }

  bool empty() const {
    const MutexLock lock(mutex_);
    return streams_.empty();
  }
  size_t UseOf(const std::string& owner) const {
    const MutexLock lock(mutex_);
    const auto found = by_owner_.find(owner);
    return found == by_owner_.end() ? 0 : found->second;
  }
  StreamUse use() const {
    const MutexLock lock(mutex_);
    StreamUse use{streams_.size(), most_, "", 0};
    const auto busiest = std::max_element(by_peer_.begin(), by_peer_.end(),
                                          [](const auto& a, const auto& b) { return a.second < b.second; });
    if (busiest != by_peer_.end()) std::tie(use.busiest, use.of_busiest) = *busiest;
    return use;
  }

 private:
  struct Open {
    Pointer stream;
    std::string peer, owner;
  };
  std::vector<Pointer> Copy() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<Pointer> all;
    all.reserve(streams_.size());
    for (const auto& [key, open] : streams_) all.push_back(open.stream);
    return all;
  }

  const size_t most_, per_connection_;
  mutable Mutex mutex_;
  std::map<const Stream*, Open> streams_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, size_t> by_peer_ ABSL_GUARDED_BY(mutex_);   // streams of each connection
  std::map<std::string, size_t> by_owner_ ABSL_GUARDED_BY(mutex_);  // of those that have a name
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace leasemap::rpc

// A session: how a node gets what it lacks, whatever the reason.
//
// The asker sends its vector. The server notes its own vector V0, walks its keys once in key order and sends each
// entry whose dot the asker's vector does not cover, then V0, which the asker joins whole: what V0 covers and was not
// sent is either known to the asker or was replaced by something that was sent. V0 is taken at the start because an
// entry may be replaced behind the walk; taken at the end it would claim what was never sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "peer/core/data/limits.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/sync/store.h"

namespace leasemap::core {

// The serving side: a position in the key order.
class ServedSession {
 public:
  // With `buckets` (Store::hashes of the asker) it sends all of the buckets that differ, whatever `theirs` covers.
  ServedSession(uint64_t id, VectorPtr theirs, VectorPtr v0, VectorPtr floor = std::make_shared<VersionVector>(),
                std::vector<uint64_t> buckets = {})
      : id_(id),
        theirs_(std::move(theirs)),
        v0_(std::move(v0)),
        floor_(std::move(floor)),
        buckets_(std::move(buckets)) {}

  // The next message, of at most `most` entries; SessionEnd is the last. May be called until done().
  Message Next(const Store& store, size_t most = kBatchEntries);
  bool done() const { return done_; }

 private:
  friend struct Inside;  // see node.h
  bool Wanted(const Entry& entry, const Store& store) const;

  uint64_t id_;
  VectorPtr theirs_;
  VectorPtr v0_;
  VectorPtr floor_;
  std::vector<uint64_t> buckets_;
  std::string after_;  // keys up to here were walked
  bool done_ = false;
};

// The asking side: at most one at a time.
struct AskedSession {
  uint64_t id = 0;
  LinkId link = LinkId::kNone;
  MonoTime heard{};      // monotonic: when something of it came last, if only a part of a message
  bool refused = false;  // something of it had to be left out: its end is not joined
  bool all = false;      // what differs was asked for, covered or not
  MonoTime asked{};      // monotonic: when it began
  MonoTime whole{};      // monotonic: when a whole message of it came last
  int64_t turn_ms = 0;   // after this time without one it gives way to another member (kSessionTurnMs)

  MonoTime GivesWayAt() const { return whole + turn_ms; }
};

}  // namespace leasemap::core

// A member in the hands of an adversary: a real node, whose messages are tampered with before they leave.
//
// Identity is not authenticated, and a member may write what it likes under its own name. What is promised is that one
// that floods, lies or sends what can't be read is cut off, named, and harms nobody else (ARCHITECTURE.md, "What a node
// believes"). The ways of doing so are those below; each adversary goes one or two of them.
//
// Left out is what the mesh takes on trust, because only a member itself, or the only one left that heard it, can know:
//   - the end of a session that claims writes of members which the asker is not linked with, or claims what it left
//   out;
//   - vectors relayed for others, which count as their acks and for collection;
//   - one dot with different entries for different nodes, and a dot of another member;
//   - a floor with writes of members that are away: who is below it is reset;
//   - members that do not exist, or left, or are of a later incarnation than they are; a later self of the receiver,
//     which it outruns, as often as limits.h bears.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "peer/core/data/message.h"
#include "peer/core/mesh/membership.h"

namespace leasemap::sim {

class Hostile {
 public:
  enum class Way {
    kUnmade,    // reports writes of the receiver that were never made
    kFuture,    // reports writes of its own and of others that were never made
    kMarks,     // reports marks that stand for nothing, and a wrong hash of its map
    kBogus,     // its writes are from the future
    kSessions,  // asks for sessions without end
    kControl,   // floods with messages of nothing
    kJunk,      // what can't be read
    kEnds,      // sessions that it serves never end, or claim writes of the asker that were never made
    kFloor,     // claims to have collected writes of the receiver that were never made
    kWays,
  };
  // Whom a message goes to.
  struct Receiver {
    core::ReplicaId id;
    uint64_t made = 0;  // so many writes
  };
  // nullopt: bytes that can't be read.
  using Sent = std::optional<core::Message>;

  explicit Hostile(uint64_t seed);

  // What leaves instead of this message of `self`, in order.
  std::vector<Sent> Tamper(const core::ReplicaId& self, const Receiver& to, core::Message message);
  bool goes(Way way) const { return ways_[static_cast<size_t>(way)]; }
  // It may report to cover writes of others that are made only later.
  bool claims_too_much() const { return goes(Way::kFuture); }
  bool tells_false_hashes() const { return goes(Way::kMarks); }
  std::string Describe() const;

 private:
  // Once in so many times.
  bool Chance(int64_t in) { return random_.Below(in) == 0; }
  uint64_t FarAhead() { return 1000 + static_cast<uint64_t>(random_.Below(1000)); }
  core::VectorPtr Unmade(const core::VersionVector& vector, const Receiver& to);
  core::VectorPtr Future(const core::VersionVector& vector, const Receiver& to);
  core::VectorPtr Marked(const core::VersionVector& vector);
  void Distort(core::Report& report, const Receiver& to);
  void Distort(core::Accept& accept, const Receiver& to);
  void Distort(core::Live& live, const core::ReplicaId& self);
  void AddFloods(std::vector<Sent>& out);

  core::Random random_;
  std::vector<bool> ways_;
  bool flooded_ = false;  // with messages of nothing: once, for it is dear to simulate
};

}  // namespace leasemap::sim

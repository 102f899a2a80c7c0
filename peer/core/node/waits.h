// What calls wait for: that other nodes have a write (an ack), or that this node has one (min_version).
//
// An ack is counted from what members report. A member's report counts only once our own vector covers all of it, for
// then whatever the member knew when it reported is merged here, and if our entry is still the key's there is nothing
// at the member that outranks it. So with all members asked, at most one of several racing writers of a key succeeds.
//
// Under a steady flow of writes the latest report is never covered at the moment it comes. So of each member three are
// told apart: `confirmed`, the latest report that we were seen to cover; `candidate`, the oldest that came after it and
// is not covered yet; and the latest, which becomes the next candidate. All is looked at once after a batch of entries
// and only while something is awaited.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "peer/core/data/effects.h"
#include "peer/core/data/limits.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/data/version_vector.h"
#include "peer/core/mesh/membership.h"
#include "peer/core/sync/store.h"

namespace leasemap::core {

// Which nodes must have a write before it is answered.
struct Ack {
  enum class Level { kLocal, kMajority, kAll, kNodes };
  Level level = Level::kLocal;
  uint32_t nodes = 0;  // for kNodes: how many, this node included

  bool local() const { return level == Level::kLocal || (level == Level::kNodes && nodes <= 1); }
};

// ACK_INCOMPLETE: the map in which the entry was written had to be given up.
absl::Status Undecided(const Entry& entry);

// Nine tenths of what the caller waits for, so that the answer reaches it before it gives up; `most_ms` at most.
int64_t WaitMs(int64_t patience_ms, int64_t most_ms);

class Waits {
 public:
  // What is looked at to settle them. The members are those remembered, this node not among them.
  struct View {
    MonoTime mono;
    const std::map<std::string, Member>& members;
    const VersionVector& vector;
    const Store& store;
    const std::string& self;
  };

  bool empty() const { return dots_.empty(); }
  size_t size() const { return dots_.size(); }
  // WAIT_LIMIT if kMaxWaits calls wait.
  absl::Status CheckRoom() const;
  // Whether a cluster of this many nodes can give this ack, and there is room for one more wait.
  absl::Status Check(const Ack& ack, size_t nodes) const;
  static absl::Status Full();
  // Some write's ack is awaited: neighbours have to report at once.
  bool any_acks() const { return !acks_.empty(); }

  // A name for a wait that is kept elsewhere (an Explain).
  WaitId NewId() { return next_++; }
  // Only if CheckRoom is OK. Each is answered by Settle, at due at the latest, unless Cancel comes first.
  WaitId AwaitAck(EntryPtr entry, Ack ack, MonoTime now, MonoTime due);
  WaitId AwaitVersion(const Dot& dot, MonoTime now, MonoTime due);
  // False if it is not awaited (any more).
  bool Cancel(WaitId id);

  // `dot` is covered now / its entry is the key's no longer. Cheap; what follows from it is left to Settle.
  void Covered(const Dot& dot);
  void Replaced(const Dot& dot);
  // The vector or the store changed as a whole (a session's end, a reset): look at everything.
  void LookAgain() { look_again_ = true; }

  // Appends the answers that are due now.
  void Settle(const View& view, std::vector<Effects::Answered>& answered);
  // Answers everything that is awaited; `why` it is too late.
  void EndAll(const View& view, const char* why, std::vector<Effects::Answered>& answered);
  MonoTime NextDue() const { return due_.empty() ? MonoTime::Never() : due_.begin()->first; }

 private:
  friend struct Inside;  // see node.h

  // One bit for each member: its index among the tracks.
  using Members = std::bitset<kMaxMembers>;
  struct Wait {
    WaitId id;
    EntryPtr entry;  // the write whose acks are awaited; null: its dot has to be covered here
    Dot dot;
    Ack ack;
    MonoTime since, due;
    Members acked;
  };
  struct Track {
    size_t index = 0;
    uint64_t incarnation = 0;
    VectorPtr confirmed, candidate;
    std::optional<Dot> missing;  // a dot of the candidate that we lacked when we looked last
    Dot done;                    // awaited writes up to this dot were acked by it
  };
  // Ordered by dot: what a report newly covers is a stretch of it.
  using Place = std::pair<Dot, WaitId>;
  using ByDot = std::map<Place, Wait>;

  WaitId Add(Wait wait);
  ByDot& MapOf(const Wait& wait) { return wait.entry ? acks_ : versions_; }
  Wait* Find(WaitId id);
  void Remove(const Wait& wait);
  void UpdateTracks(const View& view);
  bool MatchTracks(const View& view);
  bool UpdateTrack(const View& view, const Member& member, Track& track);
  void CountAcks(Track& track);
  void DropMember(const Track& track);
  bool Satisfied(const Wait& wait) const;
  void Answer(const Wait& wait, absl::Status status, std::vector<Effects::Answered>& answered);
  void AnswerReplaced(const View& view, std::vector<Effects::Answered>& answered);
  void LookAtAll(const View& view);
  absl::Status TooLate(const View& view, const Wait& wait, const char* why) const;

  ByDot acks_, versions_;
  std::map<WaitId, Dot> dots_;  // of all that wait
  std::set<std::pair<MonoTime, WaitId>> due_;
  std::map<std::string, Track> tracks_;  // by node ID; while something is awaited, one for each remembered member
  std::vector<WaitId> covered_, replaced_, fresh_;
  std::set<WaitId> to_check_;  // acks whose count changed
  bool look_again_ = false;
  WaitId next_ = 1;
};

}  // namespace leasemap::core

// Whom this node knows, and whom it dials.
//
// A member is remembered by its node ID from its first accepted handshake, or from a peer's naming it, until it leaves,
// is forgotten, or was silent for long. That it is gone is a record like the others: it spreads, and only a handshake
// undoes it. Remembered members count for acks and for collection, whether they answer or not. What is dialled
// is addresses: those that the seeds' names stand for, and those of members. An address is tried again for ever, with
// exponential back-off and jitter, unless the member there is linked already. One that led back to this node is tried
// again, too, but seldom: behind a balancer, or after an address moved, it leads elsewhere the next time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "peer/core/data/effects.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/data/random.h"
#include "peer/core/data/timing.h"

namespace leasemap::core {

struct Member {
  ReplicaId id;             // the latest incarnation that was met
  uint64_t generation = 0;  // within it: odd once it left or was forgotten (Generation)
  uint64_t linked_as = 0;   // the incarnation that is linked; 0: none
  std::string address;      // as it advertised itself last
  bool linked = false;
  bool leaving = false;       // it said itself that it leaves
  MonoTime heard_mono{};      // when it was last heard, or first named
  int64_t heard_wall_ms = 0;  // 0: never
  MonoTime lost_mono{};       // when its last link ended; 0: never had one that did
  int64_t offset_ms = 0;      // its clock less ours, as measured last
  bool measured = false;
  // The last whole report of it, on its own link or relayed; null if none.
  VectorPtr report;
  uint64_t report_incarnation = 0;  // whose report it is: not its successor's
  MonoTime report_mono{};
  std::string relayed_by;  // empty: its own link
  // Since when it says that its disk takes nothing; it still covers what it reported then. nullopt: it does not.
  std::optional<MonoTime> disk_stopped;
  // The last report of its present process that this node's own vector covered: whatever others, the member itself
  // among them, had made by then, is here. Looked for when there is something to collect (collection.cc).
  VectorPtr stable;
  Meaning stable_meaning = Meaning::kUnknown;  // of its past mark, as looked at then

  bool gone() const { return Generation::IsGone(generation); }
};

// Why a dial of this node was refused.
struct RefusedDial {
  std::string address;  // what was dialled
  std::string node;     // who refused; empty: it did not say
  std::string reason;   // CLUSTER_MISMATCH, …
  std::string message;
  bool has_map = false;   // the refuser has the map of its cluster (or does not say)
  bool own_name = false;  // it is this node's ID that another process has; else, with that reason, the other's
};

// A seed that leads to no linked member, or a member that is away, and why.
struct Unlinked {
  std::string name;   // the seed as configured, or the node ID
  std::string cause;  // of the last try
};

class Membership {
 public:
  // `self`: this process.
  Membership(ReplicaId self, std::vector<std::string> seeds, uint64_t seed, Timing timing = {});

  // --- members
  const std::map<std::string, Member>& members() const { return members_; }
  // Counts what could make a difference to what is said of the members, or to what is made of what others say of them.
  uint64_t change() const { return change_; }
  // Counts changes of which members are linked.
  uint64_t linked_change() const { return linked_change_; }
  // What reports say of the members, this node first.
  PeersPtr Peers() const;
  // This process, and those that are there as far as is known: a mark of the past does not stand for them, whatever
  // their clock was when they started.
  std::vector<ReplicaId> Present() const;
  // How many are remembered: those that are gone are not.
  size_t remembered() const;
  // Takes what a peer says of a member, if it is later than what is known; null if it is this node, or if there is no
  // room. `changed` tells whether there is something to tell on.
  const Member* Learn(const MemberInfo& info, MonoTime mono, bool* changed);
  // The members that an earlier process of this node knew.
  void Restore(const std::vector<MemberInfo>& members, MonoTime mono);
  // A handshake with it was accepted: it is a member, whatever was said before. False if there is no room.
  bool Meet(const ReplicaId& id, const std::string& address, MonoTime mono);
  // The link that Meet was about is up. True if it was not linked before.
  bool LinkUp(const ReplicaId& id, Now now);
  // A link of it ended; `other`: the incarnation to which another link is up, 0 if none is. True if it is lost by that.
  bool LinkDown(const std::string& node, uint64_t other, MonoTime mono);
  // Something came on its link.
  void Heard(const std::string& node, Now now);
  // Its clock less ours.
  void Measured(const std::string& node, int64_t offset_ms);
  // It said itself, on its link, whether it leaves.
  void HeardLeaving(const ReplicaId& id, bool leaving);
  // A report of it came on its own link. That of a process that is known to have ended says nothing of its successor.
  void Reported(const ReplicaId& id, const VectorPtr& vector, MonoTime mono);
  // It said whether its disk takes nothing.
  void ReportedDisk(const ReplicaId& id, bool stopped, MonoTime mono);
  // What that neighbour relays of members with which this node is not linked: all that it does now.
  void Relayed(const std::string& by, const std::vector<Relay>& relays, MonoTime mono);
  // Notes for each member the latest report of its present process that `vector` covers (Member::stable).
  void NoteStable(const VersionVector& vector);
  // It left, or is to be forgotten. False if it is not remembered.
  bool Forget(const std::string& node);
  // Those that are away and of whom nothing was heard since `since_mono`, the longest silent first.
  std::vector<std::string> LongestSilent(MonoTime since_mono) const;
  // With nearly as many members as can be remembered, those that are silent for longest make room for newcomers: names
  // that crashed and won't be back must not keep others out for days. Nothing is lost by it where `vector`, this
  // node's, covers all that they reported; one that comes back nevertheless is judged by the floors, as anyone who was
  // away for long. Their names.
  std::vector<std::string> MakeRoom(MonoTime mono, const VersionVector& vector);
  // For people: why a newcomer can't be a member, and what can be done about it.
  std::string NoRoomText() const;
  // Forgets those of whom nothing was heard since `since_mono`; their names.
  std::vector<std::string> ForgetSilent(MonoTime since_mono);

  // --- this node as a member
  // It goes on under another incarnation.
  void TakeIncarnation(uint64_t incarnation);
  // It leaves, for good as far as its map goes. False if it said so already.
  bool Leave();
  // What others say of it. True if it has to answer: they take it for gone and it is not, or it leaves indeed.
  bool HeardOfSelf(const MemberInfo& info);

  // --- addresses
  // Addresses dialled.
  size_t targets() const { return targets_.size(); }
  // Makes sure that a member's address is dialled.
  void LearnAddress(const std::string& node, const std::string& address, MonoTime mono);
  // The member is at this address now: others that only it was said to have are dialled no more.
  void Moved(const std::string& node, const std::string& address, MonoTime mono);

  // --- seeds and addresses
  // `why` says what failed where there are no addresses.
  void OnResolved(const std::string& seed, const std::vector<std::string>& addresses, const std::string& why,
                  MonoTime mono);
  void OnDialFailed(const std::string& address, const std::string& why, MonoTime mono);
  void OnRefused(const RefusedDial& refusal, MonoTime mono);
  void OnSelf(const std::string& address, MonoTime mono);
  // This end of a link has that address: if it is a new one, addresses that led back to this node are tried at once.
  void OnLocal(const std::string& local, MonoTime mono);
  void OnAnswered(const std::string& address, const std::string& node);  // the handshake there succeeded
  void OnLost(const std::string& address, MonoTime mono);                // its link ended, or was a duplicate
  // Appends what is due to `effects`.
  void Tick(MonoTime mono, Effects& effects);
  MonoTime NextDue(MonoTime mono) const;

  // Other seeds from now on. What only one that goes stood for is dialled no more, unless a member is there.
  void SetSeeds(const std::vector<std::string>& names);

  // Each seed and address has answered or failed once.
  bool AllTried() const;
  // The seeds and addresses that have not answered yet, a refusal being an answer.
  std::vector<Unlinked> Unanswered() const;
  // The addresses that refused this node. A refusal holds until the address answers, or failed for `forgotten_ms`.
  std::vector<RefusedDial> Refusals(MonoTime mono, int64_t forgotten_ms) const;
  // Seeds that lead neither to a linked member nor to this node itself.
  std::vector<Unlinked> UnlinkedSeeds() const;
  // Remembered members that are not linked.
  std::vector<Unlinked> UnreachableMembers() const;

 private:
  friend struct Inside;  // see node.h

  struct Seed {
    std::string name;
    MonoTime next{};
    bool resolving = false;
    bool tried = false;
    std::string cause;  // why it has no address; empty: it does, or was not tried yet
    std::set<std::string> addresses;
  };
  struct Target {
    std::string node;  // who answered there last, or is said to be there; may be empty
    bool seed = false;
    bool self = false;     // it led back to this node
    bool dialing = false;  // a dial or a link of that dial is under way
    bool answered = false, failed = false;
    std::optional<RefusedDial> refused;     // since it answered last
    std::optional<MonoTime> failing_since;  // monotonic: every try since then failed
    std::string cause;                      // why the last try failed; empty: it did not
    MonoTime next{};
    int64_t backoff_ms = 0;
  };

  Member* Find(const std::string& node);
  Member* LearnOf(const MemberInfo& info, MonoTime mono, bool* changed);
  Member* Make(const std::string& node, MonoTime mono);
  void Advance(Member& member, uint64_t incarnation, uint64_t generation);
  void Tidy();
  bool HasRoom();
  Target* TargetAt(const std::string& address);
  void Retry(Target& target, MonoTime mono, int64_t least_ms);
  bool Linked(const Target& target) const;
  std::string CauseOf(const Seed& seed) const;

  MemberInfo self_;  // its generation is odd once it leaves
  bool leaving_ = false;
  const Timing timing_;
  Random random_;
  std::vector<Seed> seeds_;
  std::map<std::string, Target> targets_;
  std::set<std::string> locals_;  // this node's own addresses, as links had them; kMaxLocals at most
  std::map<std::string, Member> members_;
  MonoTime next_tidy_{};                 // when addresses are looked through; 0: at once
  mutable std::optional<MonoTime> due_;  // when a seed or target is due at the earliest; none: to be looked up
  bool any_relayed_ = false;             // some member's report may have been relayed to us
  uint64_t change_ = 1, linked_change_ = 1;
  mutable PeersPtr peers_;                  // as Peers gave it last …
  mutable uint64_t peers_change_ = 0;       // … as of this change
  mutable size_t remembered_ = 0;           // members that are not gone …
  mutable uint64_t remembered_change_ = 0;  // … as of this change
};

}  // namespace leasemap::core

// The links of a node, by ID and by member: which are up, which of two stays, who was refused, who broke the rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "peer/core/data/effects.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/data/timing.h"
#include "peer/core/mesh/link.h"
#include "peer/core/mesh/membership.h"
#include "peer/core/mesh/quarantine.h"
#include "peer/core/mesh/refusal_log.h"
#include "peer/core/sync/replica.h"

namespace leasemap::core {

class Links {
 public:
  using ById = std::map<LinkId, Link>;

  explicit Links(Timing timing) : timing_(timing) {}

  // --- which there are
  bool empty() const { return links_.empty(); }
  size_t size() const { return links_.size(); }
  bool contains(LinkId id) const { return links_.contains(id); }
  ById::iterator begin() { return links_.begin(); }
  ById::iterator end() { return links_.end(); }
  ById::const_iterator begin() const { return links_.begin(); }
  ById::const_iterator end() const { return links_.end(); }
  // Null if there is none of this ID.
  Link* Find(LinkId id);
  const Link* Find(LinkId id) const;
  const Link& at(LinkId id) const { return links_.at(id); }
  std::vector<LinkId> Ids() const;
  // The least ID of those that are up with that member; kNone: none is.
  LinkId UpWith(const std::string& node) const;
  bool IsUpWith(const ReplicaId& member) const;
  bool IsUp(LinkId id) const;
  size_t up() const { return up_.size(); }
  // Whether one that is up satisfies `test`.
  template <typename Test>
  bool AnyUp(Test test) const {
    for (const auto& [node, id] : up_) {
      if (test(links_.at(id))) return true;
    }
    return false;
  }

  // --- coming and going
  // An ID that no link has.
  Link& Open(LinkId id, Link link);
  // The handshake is done.
  void SetUp(LinkId id);
  // Takes it out; nullopt if it is not there.
  std::optional<Link> Close(LinkId id);
  // Whether there is room for one that comes from this address (host:port): kNone. Or the one that has to go for it,
  // the first of those that wait for a Hello, so that idle strangers don't keep members out. nullopt: there is none.
  std::optional<LinkId> RoomFor(const std::string& remote) const;

  // --- silence
  struct Beats {
    std::vector<LinkId> ping;                          // a ping to these is due
    std::vector<std::pair<LinkId, std::string>> dead;  // these were silent, or their handshake took too long; why
  };
  // What is due. Those whose ping would be due soon go along with the first: a node with many members wakes up once for
  // all of them.
  Beats Beat(MonoTime mono);
  // The clock jumped: what was measured or told by it is asked for again.
  void ClockJumped(MonoTime mono);

  // --- whose a node ID is (docs/decisions/0018)
  // kNone: no other link is in the way. kProbe: another one may be dead, and is asked. kYield: this one goes. kHeld:
  // another process has the name.
  enum class Duplicate { kNone, kProbe, kYield, kHeld };
  Duplicate CheckDuplicate(MonoTime mono, LinkId id, const std::string& self, const Membership& membership) const;
  // Of two links between the same two processes the one that the smaller ID dialled stays: whether it is this.
  static bool Stays(const Link& link, const std::string& self) { return link.dialed() == (self < link.node()); }
  // Makes it wait for the other link with its member; the ID of that, which is to be pinged. 0: kMaxProbes wait.
  LinkId Probe(MonoTime mono, LinkId id);
  std::vector<LinkId> Probing() const;
  // What became of the other link that this one waits for: it was heard, or is gone, or its time is over.
  enum class Probed { kWaits, kHeard, kGone, kSilent };
  struct ProbeEnd {
    Probed end;
    LinkId first;
  };
  ProbeEnd LookAtProbe(MonoTime mono, LinkId id) const;

  // --- what to believe
  // What of a peer's vector can be true, as far as this node can tell: of itself what it made, of a member that it is
  // linked with what that member reported or sent. Less than is true does no harm: it is asked for again.
  VectorPtr Believable(const VectorPtr& vector, const Replica& replica) const;
  Quarantine& quarantine() { return quarantine_; }
  const Quarantine& quarantine() const { return quarantine_; }
  RefusalLog& refusals() { return refusals_; }
  const RefusalLog& refusals() const { return refusals_; }
  // A peer told another ceiling than before: they are to be compared. True once for each call of Note.
  void NoteCeiling() { compare_ceilings_ = true; }
  bool TakeCeilingNote() { return std::exchange(compare_ceilings_, false); }

  // Monotonic: the next ping, silence or end of a handshake.
  MonoTime NextDue(MonoTime mono) const;

 private:
  friend struct Inside;  // see node.h

  bool NameIsHeld(MonoTime mono, const Hello& hello, const Membership& membership) const;

  const Timing timing_;
  ById links_;
  std::set<std::pair<std::string, LinkId>> up_;  // those that are up, by node ID
  RefusalLog refusals_;
  Quarantine quarantine_;
  bool compare_ceilings_ = false;
};

}  // namespace leasemap::core

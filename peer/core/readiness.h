// When a node may serve: never with a map that is not there.
//
// A node that starts hears in handshakes what others hold. It waits for all of that, also when a link is lost in the
// middle: the member is dialled again. What a member that died held alone is given up when a ready member answers
// without it; where there is no ready member the node waits for the dead one's return, or for Forget. A node that has
// no map yet takes a seed for absent only after it has not answered for ten seconds, since neighbours that start at the
// same time refuse connections, too; and among members who have no map either it waits until they all have heard whom
// they can hear (`settled`), since one of them may yet come by a map (but not for one that crashes again and again). A
// node that was only refused stays out: the refuser may hold the map.
//
// This class keeps what was heard, and judges. Whoever owns it (Node) tells it what happened and shows it the rest as a
// View. Once the node is ready nothing here is looked at any more, until a reset begins it again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "peer/core/membership.h"
#include "peer/core/message.h"
#include "peer/core/timing.h"

namespace leasemap::core {

// One thing that a node waits for before it serves.
struct ReadyWait {
  std::string who;   // a node ID, a seed or an address; empty: none in particular
  std::string text;  // for people: what is missing
};

class Readiness {
 public:
  // `min_members`: how many nodes, this one included, have to be linked once.
  Readiness(Timing timing, size_t min_members, int64_t mono_ms)
      : timing_(timing), min_members_(min_members), started_ms_(mono_ms) {}

  // --- what was heard
  // A Hello of a member of this cluster. `has_map`: it says that it has the map; nullopt: its version does not say.
  void OnHello(const ReplicaId& id, std::optional<bool> has_map);
  // The handshake with it was accepted: its report, and how many keys it has (0: it did not say).
  void OnLinked(const ReplicaId& id, const VectorPtr& vector, bool has_map, uint64_t keys);
  // An own dial was refused.
  void OnRefused(const RefusedDial& refusal);
  // A handshake with it, whoever dialled, ended by a refusal: its report will not come.
  void OnHandshakeRefused(const std::string& node);
  // It is gone for good, or nothing that it says counts: what it was heard to hold is not waited for. False if it was
  // not heard.
  bool Drop(const std::string& node) { return heard_.erase(node) > 0; }
  // … of everybody: nobody is waited for any more.
  void DropAll() { heard_.clear(); }
  // The node gave its map up, and starts again from others'.
  void Restart(int64_t mono_ms);

  // --- judging
  // A link as far as readiness goes.
  struct Link {
    std::string node;
    bool up = false;       // else its handshake is under way
    bool has_map = false;  // as its latest report says
    bool settled = false;  // … (Report::settled)
    VectorPtr report;      // its latest; null before the first
    bool report_whole = false;
    VectorPtr believable;   // what of its handshake's report can be true (Node::Believable); null: all of it
    int64_t opened_ms = 0;  // monotonic
  };
  struct View {
    int64_t mono_ms;
    const VersionVector& vector;
    uint64_t keys;   // in the map here
    bool has_map;    // of an earlier process
    bool needs_map;  // a reset is under way: only a ready member's map ends it
    const Membership& membership;
    std::vector<Link> links;
  };
  struct Verdict {
    std::vector<ReadyWait> waits;  // empty: the node is ready
    bool settled = false;          // to be told to the others (Report::settled)
  };
  Verdict Judge(const View& view) const;
  // Monotonic milliseconds: Judge may come to something else then though nothing else happened.
  int64_t NextDue(int64_t mono_ms) const;

  // Why the map may not be all that there is, for the log of a node that becomes ready; empty: no reason.
  std::string Doubt(const View& view) const;
  // The last refusals count for the name: this node ID is in use elsewhere, as far as those who refuse can see.
  bool NameIsTaken(const View& view) const;

 private:
  friend struct Inside;  // see node.h

  struct Heard {
    uint64_t incarnation = 0;
    VectorPtr target;             // of its last handshake; null: it said Hello only
    std::optional<bool> has_map;  // as it said; nullopt: unknown
    uint64_t keys = 0;
  };
  bool Covers(const View& view, const Heard& heard, const Link* link) const;
  const Link* Anchor(const View& view) const;
  static bool IsGone(const View& view, const std::string& node, const Heard& heard);
  void AddHeard(const View& view, bool anchored, std::vector<ReadyWait>& out) const;
  void AddRefusals(const View& view, bool linked_with_map, std::vector<ReadyWait>& out) const;
  void AddSeeds(const View& view, bool has_map, std::vector<ReadyWait>& out) const;

  const Timing timing_;
  const size_t min_members_;
  int64_t started_ms_;
  std::map<std::string, Heard> heard_;  // by node ID; kMaxMembers at most
  struct Linked {
    uint64_t incarnation = 0;
    int processes = 0;  // that were linked, one after another
  };
  std::map<std::string, Linked> linked_;  // by node ID, all that were linked once; kMaxMembers at most
  bool linked_with_map_ = false;          // … and one of them had the map
  std::optional<RefusedDial> refused_;    // the last one of who has, or may have, the map
};

}  // namespace leasemap::core

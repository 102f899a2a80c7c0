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
// This class keeps what was heard, judges, and knows whether the node serves. Its owner (Node) tells it what happened
// and shows it the rest as a View. Once the node is ready what was heard is not looked at any more, until a reset.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "peer/core/data/effects.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/data/timing.h"
#include "peer/core/mesh/membership.h"
#include "peer/core/mesh/warnings.h"

namespace leasemap::core {

// One thing that a node waits for before it serves.
struct ReadyWait {
  std::string who;   // a node ID, a seed or an address; empty: none in particular
  std::string text;  // for people: what is missing
};

class Readiness {
 public:
  // `min_members`: how many nodes, this one included, have to be linked once.
  Readiness(Timing timing, size_t min_members, MonoTime mono)
      : timing_(timing), min_members_(min_members), started_(mono) {}

  // --- what was heard
  // A Hello of a member of this cluster. `has_map`: it says that it has the map; nullopt: it does not say.
  void OnHello(const ReplicaId& id, std::optional<bool> has_map);
  // The handshake with it was accepted: its report, and how many keys it has (0: it did not say).
  void OnLinked(const ReplicaId& id, const VectorPtr& vector, bool has_map, uint64_t keys);
  // An own dial was refused.
  void OnRefused(const RefusedDial& refusal);
  // A handshake with it, dialled by either side, ended by a refusal: its report will not come.
  void OnHandshakeRefused(const std::string& node);
  // It is gone for good, or nothing that it says counts: what it was heard to hold is not waited for. False if it was
  // not heard.
  bool Drop(const std::string& node) { return heard_.erase(node) > 0; }
  // … of everybody: nobody is waited for any more.
  void DropAll() { heard_.clear(); }
  // The node gave its map up, and starts again from others'.
  void Restart(MonoTime mono);
  // It took back the map that it had given up: a whole one or a part of one.
  void TookBack(bool serves, bool full_map);
  // An image, or a session with a ready member, brought a map.
  void HasFullMap(bool full_map) { has_full_map_ = full_map; }

  // --- whether it serves
  // Once ready it stays so until a reset.
  bool ready() const { return ready_; }
  // Its map is one to go by: it was ready once and not reset since, or took the map of a ready member.
  bool has_full_map() const { return has_full_map_; }
  // Report::settled, as the others are to be told.
  bool settled() const { return settled_; }
  // Another process has this node's ID, and this one is linked with nobody.
  bool shut_out() const { return shut_out_; }
  // What it waits for, most telling first, as of the last Update.
  const std::vector<ReadyWait>& waits_for() const { return waits_for_; }

  // --- judging
  // A link as far as readiness goes.
  struct Link {
    std::string node;
    bool up = false;       // else its handshake is under way
    bool has_map = false;  // as its latest report says
    bool settled = false;  // … (Report::settled)
    VectorPtr report;      // its latest; null before the first
    bool report_whole = false;
    VectorPtr believable;  // what of its handshake's report can be true (Links::Believable); null: all of it
    MonoTime opened{};     // monotonic
  };
  struct View {
    MonoTime mono;
    const ReplicaId& self;
    const VersionVector& vector;
    uint64_t keys;   // in the map here
    bool needs_map;  // a reset is under way: only a ready member's map ends it
    bool lost_map;   // what the disk had could not be read: likewise
    const Membership& membership;
    std::vector<Link> links;
    // Whether all is here of the map to which this node's own yields; asked when nothing else is waited for.
    absl::FunctionRef<bool()> has_peers_map;
  };
  // What became different.
  struct Change {
    bool seen = false;    // for watches and readers: it serves, or serves no more
    bool report = false;  // for the others: what reports say of it
    std::vector<Effects::Log> log{};
  };
  Change Update(const View& view);
  // Texts for the log, with back-off: the seeds that are not linked, and what keeps the node from being ready.
  std::vector<std::string> Warn(MonoTime mono, const Membership& membership);
  // Monotonic milliseconds: Update may come to something else then though nothing else happened.
  MonoTime NextDue(MonoTime mono) const;

 private:
  friend struct Inside;  // see node.h

  struct Heard {
    uint64_t incarnation = 0;
    VectorPtr target;             // of its last handshake; null: it said Hello only
    std::optional<bool> has_map;  // as it said; nullopt: unknown
    uint64_t keys = 0;
  };
  struct Verdict {
    std::vector<ReadyWait> waits;  // empty: the node is ready
    bool settled = false;
  };
  Verdict Judge(const View& view) const;
  Change UpdateShutOut(const View& view);
  // Why the map may not be all that there is; empty: no reason.
  std::string Doubt(const View& view) const;
  // The last refusals count for the name: this node ID is in use elsewhere, as far as those who refuse can see.
  bool NameIsTaken(const View& view) const;
  bool Covers(const View& view, const Heard& heard, const Link* link) const;
  const Link* Anchor(const View& view) const;
  static bool IsGone(const View& view, const std::string& node, const Heard& heard);
  void AddHeard(const View& view, bool anchored, std::vector<ReadyWait>& out) const;
  void AddRefusals(const View& view, bool linked_with_map, std::vector<ReadyWait>& out) const;
  void AddSeeds(const View& view, bool has_map, std::vector<ReadyWait>& out) const;

  const Timing timing_;
  const size_t min_members_;
  MonoTime started_{};
  std::map<std::string, Heard> heard_;  // by node ID; kMaxMembers at most
  struct Linked {
    uint64_t incarnation = 0;
    int processes = 0;  // that were linked, one after another
  };
  std::map<std::string, Linked> linked_;  // by node ID, all that were linked once; kMaxMembers at most
  bool linked_with_map_ = false;          // … and one of them had the map
  std::optional<RefusedDial> refused_;    // the last one of who has, or may have, the map
  bool ready_ = false, has_full_map_ = false, settled_ = false, shut_out_ = false;
  std::vector<ReadyWait> waits_for_;
  Warnings warnings_;
};

}  // namespace leasemap::core

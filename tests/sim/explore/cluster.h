// Three real nodes, the links between them and what may go wrong: which moves are possible in a state, and what each
// makes of it. README.md says what is explored and what is not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/explore/pool.h"
#include "tests/sim/explore/state.h"

namespace leasemap::explore {

// How far an exploration goes.
struct Scope {
  int writes = 1;
  int steps = 0;    // of time; what is due later is done when a quiet state settles
  int cuts = 1;     // how often a node is isolated
  int crashes = 1;  // how often a node crashes and starts empty
  // Which node is isolated, which one crashes; kNodes: any. The nine pairs together are all of it, in parts.
  int cut_of = kNodes, crash_of = kNodes;
  int writers = kNodes;  // the first so many nodes write
  bool deletes = true;
  // A closed link: either end notices in its own time, and a new link may come before; else both at once, and what was
  // under way is lost.
  bool half_open = false;
  int handshakes = kNodes;  // under way at a time
  bool both_dial = false;   // either node of a pair may dial; else the smaller ID does
  bool reduce = true;       // where the order of moves makes no difference, one order is enough (reduce.h)
  bool acks = false;        // clients wait until all members have their writes
  bool turn = false;        // a lease period ends before the first step of time
};

class Cluster {
 public:
  explicit Cluster(const Scope& scope);

  // Three nodes, linked with one another, with nothing under way.
  State Initial();
  // All that may happen in this state.
  void Moves(const State& state, std::vector<Move>& moves) const;
  // Leaves the one move that is enough, if there is one.
  void Reduce(const State& state, std::vector<Move>& moves) const;
  // The state's own digest, the same in any search; DigestOf holds within one.
  Digest Canonical(const State& state) const;
  // Makes the move. Returns what a checker says; empty: all is well.
  std::string Do(State& state, const Move& move);
  // Nothing is under way and nothing is to be pulled.
  bool Quiet(const State& state) const;
  // From here without further faults or writes: everybody is up, linked and told everything, in one fixed order.
  // Returns what is wrong with where that ends.
  std::string Settle(const State& quiet);

  // The move in words.
  std::string Describe(const State& state, const Move& move) const;
  // The nodes of a state in words.
  std::string Describe(const State& state) const;
  const Pool& pool() const { return pool_; }
  size_t settled() const { return settled_.size(); }

 private:
  bool Open(const State& state, int node, const Channel& out) const;
  bool PullIsUseful(const State& state, const Channel& out) const;
  int Handshakes(const State& state) const;
  bool MayDial(const State& state, int from, int to) const;
  std::string Tell(State& state, int node, Event::Kind kind, uint32_t link, MessageNumber message = 0);
  std::string CheckAcked(const State& state, const core::Entry& entry) const;
  void End(State& state, int node, const Channel& out);
  std::string Close(State& state, const Channel& c);
  std::string Arrive(State& state, const Channel& c);
  std::string Step(State& state);
  std::string Isolate(State& state, int node);
  std::string Crash(State& state, int node);
  std::string Dial(State& state, int from, int to);
  std::string Mend(State& state);
  std::string Drain(State& state);
  std::string Agreed(const State& state) const;

  const Scope scope_;
  Pool pool_;
  int items_ = 0;                        // of the menu of writes
  absl::flat_hash_set<Digest> settled_;  // states that are known to settle well
};

Digest DigestOf(const State& state);

}  // namespace leasemap::explore

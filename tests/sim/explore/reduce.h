// Partial-order reduction: a move that commutes with all that can happen before it need not wait its turn.
//
// Where the order of moves makes no difference, it is enough to explore one order. A move may be made alone (the others
// of the state are left for later, they are still possible then) if whatever can happen before it, by any moves of
// others, ends in the same state in either order (a persistent set of one move: Godefroid, "Partial-Order Methods for
// the Verification of Concurrent Systems", 1996, chapter 4). Every move takes something away that is not given back
// without end, so there are no cycles in which a move would be put off for ever. All quiet states are still met; a test
// compares them with those of the whole search. Reduce.cc has the rules, each with its reason.
#pragma once

#include <vector>

#include "tests/sim/explore/pool.h"
#include "tests/sim/explore/state.h"

namespace leasemap::explore {

class Reducer {
 public:
  // `may_dial` has the bit from * kNodes + to where `from` can dial `to`.
  Reducer(const Pool& pool, const State& state, uint32_t may_dial);

  // The move can be made alone.
  bool Alone(const Move& move) const;
  // The moves of this node can be made alone: what it gets, what it sends, whom it dials.
  bool NodeAlone(int node) const;
  // The move is one of this node.
  static bool IsOf(const Move& move, int node);

 private:
  // For each pair of nodes (the bit from * kNodes + to), what may come of it.
  using Pairs = uint32_t;
  static bool Has(Pairs pairs, int from, int to) { return pairs >> (from * kNodes + to) & 1; }
  bool PullsAlone(const Channel& out) const;
  bool ArrivesAlone(const Channel& c) const;

  const Pool& pool_;
  const State& state_;
  Pairs dials_ = 0;      // `from` can dial `to`
  Pairs unsettled_ = 0;  // the link between them may begin, or end
  Pairs doubled_ = 0;    // there are two
  Pairs live_ = 0;       // `from` has own writes to send
  Pairs serves_ = 0;     // `from` serves `to` a session
  Pairs asks_ = 0;       // `from` has asked `to` for a session
  Pairs may_ask_ = 0;    // `from` may ask, by what it holds or by a report that is under way to it
  // What is under way between them: a bit for each kind of message.
  uint32_t under_way_[kNodes][kNodes] = {};
};

}  // namespace leasemap::explore

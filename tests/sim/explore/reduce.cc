// See reduce.h.
#include "tests/sim/explore/reduce.h"

#include <variant>

namespace leasemap::explore {
namespace {

using Phase = core::Inside::Phase;

template <typename T, size_t I = 0>
constexpr uint32_t Bit() {
  if constexpr (std::is_same_v<T, std::variant_alternative_t<I, core::Message>>) {
    return 1u << I;
  } else {
    return Bit<T, I + 1>();
  }
}
constexpr uint32_t kRequest = Bit<core::SessionRequest>();
constexpr uint32_t kEntries = Bit<core::Live>() | Bit<core::SessionEntries>();
constexpr uint32_t kReports = Bit<core::Accept>() | Bit<core::Report>();
constexpr uint32_t kConclusions = kReports | Bit<core::SessionEnd>();
constexpr uint32_t kEndBit = 1u << 31;  // the link has ended

}  // namespace

Reducer::Reducer(const Pool& pool, const State& state, uint32_t may_dial)
    : pool_(pool), state_(state), dials_(may_dial) {
  const MessageNumber* next = state.under_way.data();
  for (int from = 0; from < kNodes; ++from) {
    for (int to = 0; to < kNodes; ++to) {
      if (from == to) continue;
      const Pairs pair = 1u << (from * kNodes + to), mirror = 1u << (to * kNodes + from);
      uint32_t& under_way = under_way_[from][to];
      int links = 0;
      for (int slot = 0; slot < kSlots; ++slot) {
        const Channel c{from, to, slot};
        for (int i = 0; i < state.length[c.index()]; ++i, ++next) {
          under_way |= *next == kEnd ? kEndBit : 1u << pool.message(*next).index();
        }
        const core::Inside::Link& link = pool.link(state.node[from], c.link());
        if (link.phase == Phase::kNone) continue;
        ++links;
        if (link.phase != Phase::kUp) unsettled_ |= pair | mirror;
        if (link.live) live_ |= pair;
        if (link.serving) serves_ |= pair;
        if (link.asking) asks_ |= pair;
        if (link.due) may_ask_ |= pair;
      }
      if (links > 1) unsettled_ |= pair | mirror, doubled_ |= pair | mirror;
      if ((under_way & (Bit<core::Accept>() | kEndBit)) != 0) unsettled_ |= pair | mirror;
      if ((under_way & kReports) != 0) may_ask_ |= mirror;
    }
  }
  may_ask_ |= unsettled_;
}

bool Reducer::IsOf(const Move& move, int node) {
  const bool gets = move.kind == Kind::kDeliver || move.kind == Kind::kLose;
  return move.kind != Kind::kStep && (gets ? move.b : move.a) == node;
}

// Moves of different nodes commute: a node's state is its own, and what is put at a channel's end does not change what
// is at its head. So it is enough to make the moves of one node, if none of the others can make another move of this
// node possible first: that is, if something comes from each of them already, or nothing can.
bool Reducer::NodeAlone(int node) const {
  if (state_.steps > 0 || state_.writes > 0 || state_.cuts > 0 || state_.crashes > 0) return false;
  for (int peer = 0; peer < kNodes; ++peer) {
    if (peer == node) continue;
    if (Has(dials_, peer, node)) return false;
    // Of two links, or of one that ends and its successor, both can bring something.
    if (((under_way_[peer][node] | under_way_[node][peer]) & kEndBit) != 0 || Has(doubled_, peer, node)) return false;
    if (under_way_[peer][node] != 0) continue;
    const bool sends = Has(live_, peer, node) || Has(serves_, peer, node) || Has(may_ask_, peer, node) ||
                       (under_way_[node][peer] & kRequest) != 0;
    if (sends) return false;
  }
  return true;
}

bool Reducer::Alone(const Move& move) const {
  const Channel c{move.a, move.b, move.c};
  if (move.kind == Kind::kPull) return PullsAlone(c);
  return move.kind == Kind::kDeliver && ArrivesAlone(c);
}

bool Reducer::PullsAlone(const Channel& out) const {
  if (state_.steps > 0) return false;  // a report may go out first
  // An own write, the oldest not yet sent on this link, goes under way. That changes nothing but the end of the
  // channel, where only a request for a session could have come first. And if the link ends, the write is lost either
  // way.
  if (pool_.link(state_.node[out.from], out.link()).live) return !Has(may_ask_, out.from, out.to);
  // A part of a session reads the map: nothing may still come to change it.
  if (state_.writes > 0 || state_.cuts > 0 || state_.crashes > 0) return false;
  const int at = out.from;
  for (int peer = 0; peer < kNodes; ++peer) {
    if (peer == at) continue;
    if ((under_way_[peer][at] & (kEntries | kRequest)) != 0 || Has(live_, peer, at) || Has(serves_, peer, at) ||
        Has(asks_, at, peer) || Has(may_ask_ | dials_, at, peer) || Has(dials_, peer, at)) {
      return false;
    }
  }
  return true;
}

// What comes from c.from is the next that comes from there; so the question is what the third node may do before, and
// c.to by itself.
bool Reducer::ArrivesAlone(const Channel& c) const {
  if (state_.steps > 0 || state_.writes > 0 || state_.cuts > 0 || state_.crashes > 0 || state_.Ended(c)) return false;
  const int at = c.to, from = c.from, third = kNodes - at - from;
  if (Has(doubled_, at, from) || ((under_way_[at][from] | under_way_[from][at]) & kEndBit) != 0) return false;
  if (Has(unsettled_ | dials_, at, third) || Has(dials_, third, at) || Has(asks_, at, third) || Has(serves_, third, at))
    return false;
  const uint32_t comes = under_way_[third][at];
  const uint32_t kind = 1u << pool_.message(state_.Front(c)).index();
  if ((kind & kEntries) != 0) {
    // Entries commute with entries, for merging is a join, and with what is pulled from the own log. Nothing may come
    // that looks at the map or the vector, and no part of a session may be read.
    return (comes & ~kEntries) == 0 && !Has(may_ask_, third, at) && !Has(serves_, at, from) && !Has(serves_, at, third);
  }
  if ((kind & kRequest) != 0) {
    // It notes the vector, which nothing may change before.
    return (comes & ~kRequest) == 0 && !Has(live_, third, at) && !Has(serves_, at, from);
  }
  if ((kind & kConclusions) != 0) {
    // It may make the node send something, and depends on all that it holds: nothing else may happen at the node.
    return comes == 0 && !Has(live_, third, at) && !Has(may_ask_, third, at) && !Has(live_, at, from) &&
           !Has(live_, at, third) && !Has(serves_, at, from) && !Has(serves_, at, third);
  }
  return false;
}

}  // namespace leasemap::explore

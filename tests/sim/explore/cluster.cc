// See cluster.h.
#include "tests/sim/explore/cluster.h"

#include "absl/strings/str_cat.h"
#include "tests/sim/checkers/converged.h"
#include "tests/sim/explore/reduce.h"

namespace leasemap::explore {
namespace {

using Phase = core::Inside::Phase;

// UTC milliseconds of the first step: ten minutes into an hour (a lease period), or right before its end.
constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kTenPastMs = 472'222 * kHourMs + 600'000;
constexpr int kFirstStep = 3;  // those before bring the nodes together
constexpr int64_t kTurnMs = 472'223 * kHourMs - 500 - kFirstStep * core::kLackMs;

// A quiet state settles within so many steps of time: one for reports, one until a lack is a second old, and as many
// again for what the first session brought; twice that. (The widest scope needed 5.)
constexpr int kSettleSteps = 8;

const char* NameOf(int node) {
  static constexpr const char* kNames[kNodes] = {"A", "B", "C"};
  return kNames[node];
}

std::vector<core::WriteCommand> Menu(const Scope& scope) {
  std::vector<core::WriteCommand> menu;
  for (const char* key : {"x", "y"}) {
    core::WriteCommand set;
    set.key = key;
    menu.push_back(set);
  }
  if (scope.deletes) {
    core::WriteCommand gone;
    gone.change = core::Change::kDelete;
    gone.key = "x";
    menu.push_back(gone);
  }
  if (scope.acks) {
    for (core::WriteCommand& command : menu) command.ack.level = core::Ack::Level::kAll;
  }
  return menu;
}

template <typename F>
void ForEachChannel(F f) {
  for (int from = 0; from < kNodes; ++from) {
    for (int to = 0; to < kNodes; ++to) {
      for (int slot = 0; slot < kSlots && from != to; ++slot) f(Channel{from, to, slot});
    }
  }
}

template <typename F>
void ForEachLinkOf(int node, F f) {
  for (uint64_t link = 1; link <= kLinks; ++link) f(OutOf(node, link));
}

}  // namespace

Digest DigestOf(const State& state) {
  static thread_local std::vector<uint32_t> words;
  words.clear();
  state.Pack(words);
  Digester d;
  for (size_t i = 0; i + 1 < words.size(); i += 2) d.Number(uint64_t{words[i]} << 32 | words[i + 1]);
  if (words.size() % 2 == 1) d.Number(words.back());
  return d.Done();
}

Cluster::Cluster(const Scope& scope)
    : scope_(scope),
      pool_(Menu(scope), scope.turn ? kTurnMs : kTenPastMs),
      items_(static_cast<int>(Menu(scope).size())) {}

State Cluster::Initial() {
  State state;
  for (int i = 0; i < kNodes; ++i) state.node[i] = pool_.Start(NameOf(i), 0, 0);
  for (int from = 0; from < kNodes; ++from) {
    for (int to = from + 1; to < kNodes; ++to) Dial(state, from, to);
  }
  Drain(state);
  for (int i = 0; i < kFirstStep; ++i) {
    Step(state);
    Drain(state);
  }
  state.steps = static_cast<uint8_t>(scope_.steps);
  state.writes = static_cast<uint8_t>(scope_.writes);
  state.cuts = static_cast<uint8_t>(scope_.cuts);
  state.crashes = static_cast<uint8_t>(scope_.crashes);
  return state;
}

// --- what is possible

bool Cluster::Open(const State& state, int node, const Channel& out) const {
  return pool_.link(state.node[node], out.link()).phase != Phase::kNone;
}

// What is pulled for a link that has ended at the other end is lost, and forgotten with the link.
bool Cluster::PullIsUseful(const State& state, const Channel& out) const {
  const Channel in = out.back();
  const core::Inside::Link& link = pool_.link(state.node[out.from], out.link());
  return link.phase == Phase::kUp && (link.live || link.serving) && !state.Ended(in) && !state.Ended(out) &&
         Open(state, out.to, in);
}

// Pairs of nodes with a link that is not up at both ends yet.
int Cluster::Handshakes(const State& state) const {
  int pairs = 0;
  for (int a = 0; a < kNodes; ++a) {
    for (int b = a + 1; b < kNodes; ++b) {
      bool shaking = false;
      for (int slot = 0; slot < kSlots; ++slot) {
        for (const Channel& c : {Channel{a, b, slot}, Channel{b, a, slot}}) {
          const Phase phase = pool_.link(state.node[c.from], c.link()).phase;
          shaking |= phase != Phase::kNone && phase != Phase::kUp;
        }
      }
      pairs += shaking;
    }
  }
  return pairs;
}

bool Cluster::MayDial(const State& state, int from, int to) const {
  if (!scope_.both_dial && from > to) return false;
  if (Handshakes(state) >= scope_.handshakes) return false;
  bool free_slot = false;
  for (int slot = 0; slot < kSlots; ++slot) {
    const Channel out{from, to, slot};
    const bool near = Open(state, from, out), far = Open(state, to, out.back());
    // Who has a link dials no second one. The other end may have one of which it does not know yet that it has ended.
    if (near || (far && !scope_.half_open)) return false;
    free_slot |= !near && !far && state.Empty(out) && state.Empty(out.back());
  }
  return free_slot;
}

void Cluster::Moves(const State& state, std::vector<Move>& moves) const {
  moves.clear();
  ForEachChannel([&](const Channel& c) {
    const auto from = static_cast<uint8_t>(c.from), to = static_cast<uint8_t>(c.to),
               slot = static_cast<uint8_t>(c.slot);
    if (!state.Empty(c)) moves.push_back({Kind::kDeliver, from, to, slot});
    if (!state.Empty(c) && state.Ended(c) && state.Front(c) != kEnd) moves.push_back({Kind::kLose, from, to, slot});
    if (PullIsUseful(state, c)) moves.push_back({Kind::kPull, from, to, slot});
  });
  for (uint8_t a = 0; a < kNodes; ++a) {
    for (uint8_t item = 0; item < items_ && state.writes > 0 && a < scope_.writers; ++item)
      moves.push_back({Kind::kWrite, a, item});
    if (state.crashes > 0 && (scope_.crash_of == kNodes || scope_.crash_of == a)) moves.push_back({Kind::kCrash, a});
    if (state.cuts > 0 && (scope_.cut_of == kNodes || scope_.cut_of == a)) moves.push_back({Kind::kIsolate, a});
    for (uint8_t b = 0; b < kNodes; ++b) {
      if (a != b && MayDial(state, a, b)) moves.push_back({Kind::kDial, a, b});
    }
  }
  if (state.steps > 0) moves.push_back({Kind::kStep});
}

void Cluster::Reduce(const State& state, std::vector<Move>& moves) const {
  // Where acks are awaited an entry that comes can make a node report at once: the rules do not look so far.
  if (!scope_.reduce || scope_.acks || moves.size() < 2 || state.steps > 0) return;
  uint32_t may_dial = 0;
  for (const Move& move : moves) {
    if (move.kind == Kind::kDial) may_dial |= 1u << (move.a * kNodes + move.b);
  }
  const Reducer reducer(pool_, state, may_dial);
  for (const Move& move : moves) {
    if (!reducer.Alone(move)) continue;
    moves = {move};
    return;
  }
  std::array<size_t, kNodes> count{};
  int best = kNodes;
  for (int node = 0; node < kNodes; ++node) {
    for (const Move& move : moves) count[node] += Reducer::IsOf(move, node);
    if (count[node] == 0 || (best < kNodes && count[node] >= count[best]) || !reducer.NodeAlone(node)) continue;
    best = node;
  }
  if (best < kNodes) std::erase_if(moves, [best](const Move& move) { return !Reducer::IsOf(move, best); });
}

Digest Cluster::Canonical(const State& state) const {
  Digester d;
  const auto add = [&](const Digest& digest) {
    d.Number(digest.high);
    d.Number(digest.low);
  };
  for (const NodeNumber node : state.node) add(pool_.digest(node));
  add(pool_.digest_of_log(state.log));
  for (const int n : {state.step, state.steps, state.writes, state.cuts, state.crashes})
    d.Number(static_cast<uint64_t>(n));
  ForEachChannel([&](const Channel& c) { d.Number(state.length[c.index()]); });
  for (int i = 0; i < state.total(); ++i) {
    d.Number(state.under_way[i] == kEnd);
    if (state.under_way[i] != kEnd) add(core::Inside::Of(pool_.message(state.under_way[i])));
  }
  return d.Done();
}

bool Cluster::Quiet(const State& state) const {
  if (state.total() > 0) return false;
  bool quiet = true;
  ForEachChannel([&](const Channel& c) { quiet &= !PullIsUseful(state, c); });
  return quiet;
}

// --- what becomes of it

std::string Cluster::Do(State& state, const Move& move) {
  const Channel c{move.a, move.b, move.c};
  switch (move.kind) {
    case Kind::kDeliver:
      return Arrive(state, c);
    case Kind::kLose:
      state.Drop(c, state.length[c.index()] - 1);
      return Arrive(state, c);
    case Kind::kPull:
      return Tell(state, c.from, Event::Kind::kPull, static_cast<uint32_t>(c.link()));
    case Kind::kWrite:
      return Tell(state, move.a, Event::Kind::kWrite, move.b);
    case Kind::kStep:
      --state.steps;
      return Step(state);
    case Kind::kIsolate:
      --state.cuts;
      return Isolate(state, move.a);
    case Kind::kCrash:
      --state.crashes;
      return Crash(state, move.a);
    case Kind::kDial:
      return Dial(state, move.a, move.b);
  }
  return "explorer: no such move";
}

// Tells the node, and carries out what it wants: its messages go under way, its hang-ups end links.
std::string Cluster::Tell(State& state, int node, Event::Kind kind, uint32_t link, MessageNumber message) {
  const Outcome& outcome = pool_.Do({state.node[node], kind, link, message});
  if (outcome.node == 0) return outcome.fault;
  state.node[node] = outcome.node;
  for (const auto& sent : outcome.sent) {
    const Channel out = OutOf(node, sent.link);
    // To a link that has ended, or whose other end has: lost.
    if (state.Ended(out) || !Open(state, out.to, out.back())) continue;
    if (!state.Push(out, sent.message)) return "explorer: too much is under way; raise kMaxUnderWay";
  }
  for (const uint64_t hung_up : outcome.hung_up) End(state, node, OutOf(node, hung_up));
  if (!outcome.fault.empty()) return outcome.fault;
  if (outcome.wrote) {
    --state.writes;
    std::string fault;
    state.log = pool_.Add(state.log, outcome.wrote, &fault);
    if (!fault.empty()) return fault;
  }
  for (const core::EntryPtr& entry : outcome.acked) {
    if (auto fault = CheckAcked(state, *entry); !fault.empty()) return fault;
  }
  return pool_.Check(state.node[node], state.log);
}

// A client was told that all members have its write. So they do; and nobody has another holder's in its place: whoever
// writes after it is refused (a live lease), and whoever wrote at the same time lost, and is told so.
std::string Cluster::CheckAcked(const State& state, const core::Entry& entry) const {
  if (state.crashes != scope_.crashes) return "";  // what a member had it may have lost since
  for (int i = 0; i < kNodes; ++i) {
    const core::Node& node = pool_.node(state.node[i]);
    const core::EntryPtr* held = node.store().Find(entry.key);
    if (!node.vector().Covers(entry.dot) || held == nullptr) return absl::StrCat("acks: not had by ", NameOf(i));
    if (!entry.tombstone && (*held)->lease.holder != entry.lease.holder) {
      return absl::StrCat("acks: ", NameOf(i), " has the write of ", (*held)->lease.holder, " in its place");
    }
  }
  return "";
}

// `node` has no end of this link any more: nothing comes in, and the other end will notice.
void Cluster::End(State& state, int, const Channel& out) {
  state.Clear(out.back());
  if (!Open(state, out.to, out.back())) {
    state.Clear(out);
  } else if (!state.Ended(out)) {
    state.Push(out, kEnd);
  }
}

// The end of the link at c.to notices that it has ended.
std::string Cluster::Close(State& state, const Channel& c) {
  const Channel out = c.back();
  state.Clear(c);
  if (!Open(state, c.to, out)) return "";
  auto fault = Tell(state, c.to, Event::Kind::kClosed, static_cast<uint32_t>(out.link()));
  End(state, c.to, out);
  return fault;
}

std::string Cluster::Arrive(State& state, const Channel& c) {
  const MessageNumber message = state.Front(c);
  if (message == kEnd) return Close(state, c);
  state.Drop(c, 1);
  return Tell(state, c.to, Event::Kind::kMessage, static_cast<uint32_t>(c.back().link()), message);
}

// Time goes on, all nodes tick, and on links that live heartbeats are exchanged at once: they overtake what is queued.
std::string Cluster::Step(State& state) {
  std::array<uint32_t, kNodes> beats{};
  ForEachChannel([&](const Channel& c) {
    if (!Open(state, c.from, c) || !Open(state, c.to, c.back()) || state.Ended(c) || state.Ended(c.back())) return;
    const Phase here = pool_.link(state.node[c.from], c.link()).phase;
    const Phase there = pool_.link(state.node[c.to], c.back().link()).phase;
    const bool here_hears = here == Phase::kUp || here == Phase::kAwaitAccept;
    const bool there_hears = there == Phase::kUp || there == Phase::kAwaitAccept;
    if (there == Phase::kUp && here_hears) beats[c.from] |= 1u << c.link();
    if (here == Phase::kUp && there_hears) beats[c.from] |= 1u << (16 + c.link());
  });
  ++state.step;
  for (int i = 0; i < kNodes; ++i) {
    if (auto fault = Tell(state, i, Event::Kind::kStep, beats[i]); !fault.empty()) return fault;
  }
  return "";
}

std::string Cluster::Isolate(State& state, int node) {
  std::string fault;
  ForEachLinkOf(node, [&](const Channel& out) {
    const Channel in = out.back();
    if (!fault.empty() || !Open(state, node, out) || !Open(state, in.from, in)) return;
    if (!scope_.half_open) {
      state.Clear(out);
      state.Clear(in);
      fault = Tell(state, node, Event::Kind::kClosed, static_cast<uint32_t>(out.link()));
      if (fault.empty()) fault = Tell(state, in.from, Event::Kind::kClosed, static_cast<uint32_t>(in.link()));
      return;
    }
    if (!state.Ended(out)) state.Push(out, kEnd);
    if (!state.Ended(in)) state.Push(in, kEnd);
  });
  return fault;
}

std::string Cluster::Crash(State& state, int node) {
  std::array<bool, kLinks + 1> had{};
  ForEachLinkOf(node, [&](const Channel& out) { had[out.link()] = Open(state, node, out); });
  state.node[node] = pool_.Start(NameOf(node), state.step, scope_.crashes - state.crashes);
  std::string fault;
  ForEachLinkOf(node, [&](const Channel& out) {
    if (!had[out.link()]) return;
    End(state, node, out);
    if (!scope_.half_open && !state.Empty(out) && fault.empty()) fault = Close(state, out);
  });
  return fault;
}

// The Hellos are exchanged at once. They change nothing but the link itself, so any other order of them and of what
// happens elsewhere ends in the same states.
std::string Cluster::Dial(State& state, int from, int to) {
  for (int slot = 0; slot < kSlots; ++slot) {
    const Channel out{from, to, slot}, in = out.back();
    if (Open(state, from, out) || Open(state, to, in) || !state.Empty(out) || !state.Empty(in)) continue;
    // The acceptor first: it has an end by the time that the dialer's Hello comes.
    auto fault = Tell(state, to, Event::Kind::kAccepted, static_cast<uint32_t>(in.link()));
    if (fault.empty()) fault = Tell(state, from, Event::Kind::kDialed, static_cast<uint32_t>(out.link()));
    for (const Channel& c : {out, in}) {
      const bool hello = !state.Empty(c) && state.Front(c) != kEnd &&
                         std::holds_alternative<core::Hello>(pool_.message(state.Front(c)));
      if (fault.empty() && hello) fault = Arrive(state, c);
    }
    return fault;
  }
  return "explorer: no room for another link";
}

// --- how it ends

// Everything under way arrives and everything is pulled, in a fixed order.
std::string Cluster::Drain(State& state) {
  std::string fault;
  for (int rounds = 0; !Quiet(state); ++rounds) {
    // A handshake and a session of each pair are some dozen messages.
    if (rounds == 1000) return "settle: messages go to and fro without end";
    ForEachChannel([&](const Channel& c) {
      if (fault.empty() && PullIsUseful(state, c)) {
        fault = Tell(state, c.from, Event::Kind::kPull, static_cast<uint32_t>(c.link()));
      }
      if (fault.empty() && !state.Empty(c)) fault = Arrive(state, c);
    });
    if (!fault.empty()) return fault;
  }
  return "";
}

// Everybody is linked, or about to be.
std::string Cluster::Mend(State& state) {
  for (int from = 0; from < kNodes; ++from) {
    for (int to = from + 1; to < kNodes; ++to) {
      if (!MayDial(state, from, to)) continue;
      if (auto fault = Dial(state, from, to); !fault.empty()) return fault;
    }
  }
  return "";
}

std::string Cluster::Agreed(const State& state) const {
  std::vector<sim::Replica> replicas;
  for (int i = 0; i < kNodes; ++i) {
    const core::Node& node = pool_.node(state.node[i]);
    replicas.push_back({NameOf(i), &node.store(), &node.vector(), &node.replica().floor()});
    int up = 0;
    for (uint64_t link = 1; link <= kLinks; ++link) up += pool_.link(state.node[i], link).phase == Phase::kUp;
    if (up != kNodes - 1) return std::string(NameOf(i)) + " has " + std::to_string(up) + " links";
    if (!node.ready()) return std::string(NameOf(i)) + " is not ready";
  }
  return sim::CheckConverged(replicas, pool_.log(state.log));
}

std::string Cluster::Settle(const State& quiet) {
  State state = quiet;
  state.steps = state.writes = state.cuts = state.crashes = 0;
  std::vector<Digest> way;
  std::string last;
  for (int step = 0; step <= kSettleSteps; ++step) {
    auto fault = Mend(state);
    if (fault.empty()) fault = Drain(state);
    if (!fault.empty()) return fault;
    way.push_back(DigestOf(state));
    if (settled_.contains(way.back()))
      last.clear();
    else
      last = Agreed(state);
    if (last.empty()) {
      settled_.insert(way.begin(), way.end());
      return "";
    }
    if (fault = Step(state); !fault.empty()) return fault;
  }
  return "converged: " + std::to_string(kSettleSteps) + " s after the last fault " + last;
}

}  // namespace leasemap::explore

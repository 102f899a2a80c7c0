// See search.h.
#include "tests/sim/explore/search.h"

#include <chrono>
#include <cstdio>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/sim/explore/visited.h"

namespace leasemap::explore {
namespace {

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// One search under way.
class Search {
 public:
  Search(const Scope& scope, const Limits& limits) : cluster_(scope), limits_(limits) {}

  Found Run(const std::function<void(const Found&)>& progress) {
    const double began = Seconds();
    const State initial = cluster_.Initial();
    visited_.Add(DigestOf(initial), 0, Move{});
    initial.Pack(next_);
    Look(initial, 0);
    while (!next_.empty() && Well()) {
      ++found_.depth;
      Level();
      Count();
      found_.seconds = Seconds() - began;
      if (progress) progress(found_);
    }
    Count();
    found_.complete = next_.empty() && Well();
    found_.seconds = Seconds() - began;
    return std::move(found_);
  }

 private:
  bool Well() const { return found_.fault.empty() && visited_.size() < limits_.states; }

  void Count() {
    found_.states = visited_.size();
    found_.nodes = cluster_.pool().nodes();
    found_.calls = cluster_.pool().outcomes();
    found_.settled = cluster_.settled();
  }

  // All moves of all states that are as far from the start as the last level.
  void Level() {
    const std::vector<uint32_t> level = std::move(next_);
    next_.clear();
    std::vector<Move> moves;
    State state;
    for (const uint32_t* at = level.data(); at != level.data() + level.size() && Well(); ++number_) {
      at = state.Unpack(at);
      cluster_.Moves(state, moves);
      if (moves.empty()) {
        const Digest digest = cluster_.Canonical(state);
        found_.all_final ^= digest.high ^ digest.low * 3;
      }
      cluster_.Reduce(state, moves);
      for (const Move& move : moves) {
        State after = state;
        auto fault = cluster_.Do(after, move);
        if (!fault.empty()) return Fail(fault, &move);
        const Digest digest = DigestOf(after);
        ++found_.transitions;
        if (!visited_.Add(digest, number_, move)) continue;
        after.Pack(next_);
        Look(after, static_cast<uint32_t>(visited_.size() - 1));
        if (!Well()) return;
      }
    }
  }

  void Look(const State& state, uint32_t number) {
    if (!cluster_.Quiet(state)) return;
    ++found_.quiet;
    if (auto fault = cluster_.Settle(state); !fault.empty()) {
      number_ = number;
      Fail(fault, nullptr);
    }
  }

  void Fail(const std::string& fault, const Move* last) {
    found_.fault = fault;
    found_.moves = visited_.WayTo(number_);
    if (last != nullptr) found_.moves.push_back(*last);
  }

  Cluster cluster_;
  const Limits limits_;
  Visited visited_;
  std::vector<uint32_t> next_;  // the states of the next level, packed
  uint32_t number_ = 0;         // of the state whose moves are made
  Found found_;
};

}  // namespace

std::string Found::Summary() const {
  char line[300];
  std::snprintf(
      line, sizeof line,
      "explored %llu states, %llu transitions, depth %d, %llu quiescent states, %d violations in %.1f s (%llu "
      "different nodes, %llu calls of the core)",
      static_cast<unsigned long long>(states), static_cast<unsigned long long>(transitions), depth,
      static_cast<unsigned long long>(quiet), fault.empty() ? 0 : 1, seconds, static_cast<unsigned long long>(nodes),
      static_cast<unsigned long long>(calls));
  return line;
}

Found Explore(const Scope& scope, const Limits& limits, const std::function<void(const Found&)>& progress) {
  return Search(scope, limits).Run(progress);
}

std::string Replay(const Scope& scope, const std::vector<Move>& moves) {
  Cluster cluster(scope);
  State state = cluster.Initial();
  std::ostringstream out;
  int n = 0;
  std::vector<Move> possible;
  for (const Move& move : moves) {
    cluster.Moves(state, possible);
    bool found = false;
    for (const Move& one : possible) found |= one.Pack() == move.Pack();
    if (!found) {
      out << "move " << n + 1 << " is not possible here: the scope or the core is another\n";
      return out.str();
    }
    out << ++n << ". " << cluster.Describe(state, move) << "\n";
    if (auto fault = cluster.Do(state, move); !fault.empty()) {
      out << cluster.Describe(state) << "violation: " << fault << "\n";
      return out.str();
    }
  }
  out << cluster.Describe(state);
  if (cluster.Quiet(state)) {
    const auto fault = cluster.Settle(state);
    out << "nothing is under way; let it settle, and " << (fault.empty() ? "all is well" : fault) << "\n";
    if (!fault.empty()) out << "violation: " << fault << "\n";
  }
  return out.str();
}

std::string Flags(const Scope& scope) {
  return absl::StrCat(" --writes ", scope.writes, " --steps ", scope.steps, " --cuts ", scope.cuts, " --crashes ",
                      scope.crashes, " --cut-of ", scope.cut_of, " --crash-of ", scope.crash_of, " --writers ",
                      scope.writers, " --deletes ", scope.deletes, " --half-open ", scope.half_open, " --handshakes ",
                      scope.handshakes, " --both-dial ", scope.both_dial, " --acks ", scope.acks, " --turn ",
                      scope.turn);
}

std::string Write(const std::vector<Move>& moves) {
  std::string text;
  for (const Move& move : moves) {
    char four[8];
    std::snprintf(four, sizeof four, "%04x", move.Pack());
    text += four;
  }
  return text;
}

bool Read(const std::string& text, std::vector<Move>& moves) {
  if (text.size() % 4 != 0 || text.find_first_not_of("0123456789abcdef") != std::string::npos) return false;
  for (size_t i = 0; i < text.size(); i += 4) {
    const Move move = Move::Unpack(static_cast<uint16_t>(std::stoul(text.substr(i, 4), nullptr, 16)));
    if (move.kind > Kind::kDial || move.a >= kNodes) return false;
    moves.push_back(move);
  }
  return true;
}

}  // namespace leasemap::explore

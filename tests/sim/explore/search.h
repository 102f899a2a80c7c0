// The search: all states that can be reached, nearest first, each looked at once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/explore/cluster.h"

namespace leasemap::explore {

struct Limits {
  uint64_t states = 60'000'000;  // at 26 to 40 bytes each, and 100 for those of two levels, below 3 GiB
};

struct Found {
  uint64_t states = 0, transitions = 0, quiet = 0, settled = 0;
  uint64_t nodes = 0, calls = 0;  // different nodes, and calls of the real code
  uint64_t all_final = 0;         // the states without moves together: two searches that met the same have the same
  int depth = 0;
  double seconds = 0;
  bool complete = false;    // else the limit came first
  std::string fault;        // empty: none
  std::vector<Move> moves;  // the shortest way to the fault
  std::string Summary() const;
};

// `progress` is called after each level.
Found Explore(const Scope& scope, const Limits& limits, const std::function<void(const Found&)>& progress = nullptr);

// Makes the moves from the initial state, and returns the story, a line a move, and how it ends.
std::string Replay(const Scope& scope, const std::vector<Move>& moves);

// The bounds as flags of `explore`.
std::string Flags(const Scope& scope);

// Moves as text for a command line, and back; false if it isn't one.
std::string Write(const std::vector<Move>& moves);
bool Read(const std::string& text, std::vector<Move>& moves);

}  // namespace leasemap::explore

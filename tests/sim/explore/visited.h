// Which states were met, and how each was reached first: the digest's place in an open table, and one record a state.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/sim/explore/digest.h"
#include "tests/sim/explore/state.h"

namespace leasemap::explore {

class Visited {
 public:
  Visited() : table_(size_t{1} << 20, 0) {}

  // True if the state is new; it gets the next number (0, 1, 2 …).
  bool Add(const Digest& digest, uint32_t parent, Move move) {
    if ((records_.size() + 1) * 10 > table_.size() * 7) Grow();
    const size_t mask = table_.size() - 1;
    for (size_t at = digest.low & mask;; at = (at + 1) & mask) {
      if (table_[at] == 0) {
        records_.push_back({digest, parent, move.Pack()});
        table_[at] = static_cast<uint32_t>(records_.size());
        return true;
      }
      if (records_[table_[at] - 1].digest == digest) return false;
    }
  }
  size_t size() const { return records_.size(); }
  // The moves from the first state to this one.
  std::vector<Move> WayTo(uint32_t number) const {
    std::vector<Move> way;
    for (; number != 0; number = records_[number].parent) way.push_back(Move::Unpack(records_[number].move));
    std::reverse(way.begin(), way.end());
    return way;
  }

 private:
  struct Record {
    Digest digest;
    uint32_t parent;
    uint16_t move;
  };

  void Grow() {
    std::vector<uint32_t> table(table_.size() * 2, 0);
    const size_t mask = table.size() - 1;
    for (size_t i = 0; i < records_.size(); ++i) {
      size_t at = records_[i].digest.low & mask;
      while (table[at] != 0) at = (at + 1) & mask;
      table[at] = static_cast<uint32_t>(i + 1);
    }
    table_ = std::move(table);
  }

  std::vector<Record> records_;
  std::vector<uint32_t> table_;  // number + 1; 0: free
};

}  // namespace leasemap::explore

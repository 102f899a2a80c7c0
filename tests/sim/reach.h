// Who can reach whom: paths between places that are cut for a while, or were never there.
//
// A place is where a process runs and what an address names; a node that comes back elsewhere has another. Several
// faults may cut one path, which is whole again only when all of them are over.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace leasemap::sim {

class Reach {
 public:
  explicit Reach(int places) : places_(places), cuts_(Size()), missing_(Size()) {}

  int places() const { return places_; }
  bool Open(int from, int to) const {
    const size_t at = At(from, to);
    return cuts_[at] == 0 && missing_[at] == 0;
  }
  void Cut(int from, int to) { ++cuts_[At(from, to)]; }
  void Mend(int from, int to) {
    if (uint16_t& cuts = cuts_[At(from, to)]; cuts > 0) --cuts;
  }
  // All cuts between these places are over, whoever made them.
  void MendAmong(const std::vector<int>& places) {
    for (const int from : places) {
      for (const int to : places) cuts_[At(from, to)] = 0;
    }
  }
  // There is no way between the two, now or later.
  void Separate(int a, int b) { missing_[At(a, b)] = missing_[At(b, a)] = 1; }
  bool Separated(int a, int b) const { return missing_[At(a, b)] != 0; }

 private:
  size_t Size() const { return static_cast<size_t>(places_) * static_cast<size_t>(places_); }
  size_t At(int from, int to) const { return static_cast<size_t>(from) * static_cast<size_t>(places_) + to; }

  const int places_;
  std::vector<uint16_t> cuts_;
  std::vector<uint8_t> missing_;
};

}  // namespace leasemap::sim

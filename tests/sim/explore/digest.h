// A 128-bit digest, fed with numbers and strings. Two states are taken for one when their digests are equal: at 10^8
// states the odds that any two different ones meet are below 10^-22.
#pragma once

#include <cstdint>
#include <string_view>

namespace leasemap::explore {

struct Digest {
  uint64_t high = 0, low = 0;
  bool operator==(const Digest&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Digest& digest) {
    return H::combine(std::move(h), digest.high, digest.low);
  }
};

class Digester {
 public:
  void Number(uint64_t value) {
    high_ = Mix(high_ ^ value, 0x9e3779b97f4a7c15);
    low_ = Mix(low_ + value, 0xc2b2ae3d27d4eb4f);
  }
  void Text(std::string_view text) {
    Number(text.size());
    uint64_t word = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      word = word << 8 | static_cast<unsigned char>(text[i]);
      if (i % 8 == 7) Number(word), word = 0;
    }
    if (text.size() % 8 != 0) Number(word);
  }
  Digest Done() const { return {Mix(high_, 0xd6e8feb86659fd93), Mix(low_, 0xff51afd7ed558ccd)}; }

 private:
  // The finalizer of MurmurHash3, with a multiplier of the lane's own.
  static uint64_t Mix(uint64_t z, uint64_t by) {
    z = (z ^ (z >> 33)) * by;
    z = (z ^ (z >> 29)) * 0xc4ceb9fe1a85ec53;
    return z ^ (z >> 32);
  }

  uint64_t high_ = 0x243f6a8885a308d3, low_ = 0x13198a2e03707344;
};

}  // namespace leasemap::explore

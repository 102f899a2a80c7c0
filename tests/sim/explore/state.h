// A state of the explored cluster, small enough to be kept by the million: each node, message and history of writes is
// a number that Pool (pool.h) gives out, the same number for what can't be told apart.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/sim/explore/digest.h"

namespace leasemap::explore {

inline constexpr int kNodes = 3;
// Links between two nodes at a time: one that has ended and of which one end has not heard yet, and its successor.
inline constexpr int kSlots = 2;
inline constexpr int kChannels = kNodes * (kNodes - 1) * kSlots;
// Messages under way in all channels together. The states of the widest scope had 14 at most.
inline constexpr int kMaxUnderWay = 40;

using NodeNumber = uint32_t;     // never 0
using MessageNumber = uint32_t;  // 0: the link has ended; always the last in its channel
using LogNumber = uint32_t;
inline constexpr MessageNumber kEnd = 0;

// The messages from one node to another on one of their links, first in first out.
struct Channel {
  int from, to, slot;
  int index() const { return ((from * (kNodes - 1)) + (to > from ? to - 1 : to)) * kSlots + slot; }
  Channel back() const { return {to, from, slot}; }
  // The LinkId by which `from` knows the link; a node's ids are its own.
  uint64_t link() const { return 1 + static_cast<uint64_t>((to > from ? to - 1 : to) * kSlots + slot); }
};
// The channel that goes out by the link that `from` knows as `link`.
inline Channel OutOf(int from, uint64_t link) {
  const int peer = static_cast<int>(link - 1) / kSlots;
  return {from, peer >= from ? peer + 1 : peer, static_cast<int>(link - 1) % kSlots};
}
inline constexpr uint64_t kLinks = (kNodes - 1) * kSlots;  // a node's link ids are 1 … kLinks

struct State {
  std::array<NodeNumber, kNodes> node{};
  LogNumber log = 0;  // all writes so far
  uint8_t step = 0;   // of time
  uint8_t steps = 0;  // how many more may come; and so on:
  uint8_t writes = 0, cuts = 0, crashes = 0;
  std::array<uint8_t, kChannels> length{};
  std::array<MessageNumber, kMaxUnderWay> under_way{};  // channel after channel

  int Start(int channel) const {
    int start = 0;
    for (int i = 0; i < channel; ++i) start += length[i];
    return start;
  }
  int total() const { return Start(kChannels); }
  bool Empty(const Channel& c) const { return length[c.index()] == 0; }
  MessageNumber Front(const Channel& c) const { return under_way[Start(c.index())]; }
  // Its last message says that the link has ended.
  bool Ended(const Channel& c) const {
    const int n = length[c.index()];
    return n > 0 && under_way[Start(c.index()) + n - 1] == kEnd;
  }
  // False if there is no room.
  bool Push(const Channel& c, MessageNumber message) {
    const int at = Start(c.index()) + length[c.index()], all = total();
    if (all == kMaxUnderWay) return false;
    std::memmove(&under_way[at + 1], &under_way[at], static_cast<size_t>(all - at) * sizeof(MessageNumber));
    under_way[at] = message;
    ++length[c.index()];
    return true;
  }
  void Drop(const Channel& c, int count) {
    const int at = Start(c.index()), all = total();
    std::memmove(&under_way[at], &under_way[at + count], static_cast<size_t>(all - at - count) * sizeof(MessageNumber));
    length[c.index()] = static_cast<uint8_t>(length[c.index()] - count);
  }
  void Clear(const Channel& c) { Drop(c, length[c.index()]); }

  // As words, for keeping and for the digest.
  void Pack(std::vector<uint32_t>& out) const {
    out.insert(out.end(), node.begin(), node.end());
    out.push_back(log);
    out.push_back(static_cast<uint32_t>(step) | static_cast<uint32_t>(steps) << 8 |
                  static_cast<uint32_t>(writes) << 16 | static_cast<uint32_t>(cuts) << 20 |
                  static_cast<uint32_t>(crashes) << 24);
    for (int i = 0; i < kChannels; i += 4) {
      out.push_back(static_cast<uint32_t>(length[i]) | static_cast<uint32_t>(length[i + 1]) << 8 |
                    static_cast<uint32_t>(length[i + 2]) << 16 | static_cast<uint32_t>(length[i + 3]) << 24);
    }
    out.insert(out.end(), under_way.begin(), under_way.begin() + total());
  }
  // Reads what Pack wrote, and returns where it ended.
  const uint32_t* Unpack(const uint32_t* in) {
    std::memcpy(node.data(), in, sizeof(node));
    in += kNodes;
    log = *in++;
    const uint32_t small = *in++;
    step = static_cast<uint8_t>(small);
    steps = static_cast<uint8_t>(small >> 8);
    writes = small >> 16 & 15;
    cuts = small >> 20 & 15;
    crashes = small >> 24 & 15;
    for (int i = 0; i < kChannels; i += 4, ++in) {
      for (int k = 0; k < 4; ++k) length[i + k] = static_cast<uint8_t>(*in >> (8 * k));
    }
    const int n = total();
    std::memcpy(under_way.data(), in, static_cast<size_t>(n) * sizeof(MessageNumber));
    return in + n;
  }
};
static_assert(kChannels % 4 == 0);

// What may happen next.
enum class Kind : uint8_t {
  kDeliver,  // the first message from a to b on link c arrives, or its end is noticed
  kLose,     // the link's end is noticed, what was under way before it is lost
  kPull,     // a puts its next bulk message to b on link c
  kWrite,    // a client writes on a: item b of the menu
  kStep,     // time goes on by one step, all nodes tick
  kIsolate,  // a's links end; it stays cut off until it is dialled or dials
  kCrash,    // a is gone with all that it held, and its next process is there, empty; until it links it might be down
  kDial,     // a dials b
};
struct Move {
  Kind kind;
  uint8_t a = 0, b = 0, c = 0;
  uint16_t Pack() const {
    return static_cast<uint16_t>(static_cast<int>(kind) << 12 | (a & 15) << 8 | (b & 15) << 4 | (c & 15));
  }
  static Move Unpack(uint16_t packed) {
    return {static_cast<Kind>(packed >> 12), static_cast<uint8_t>(packed >> 8 & 15),
            static_cast<uint8_t>(packed >> 4 & 15), static_cast<uint8_t>(packed & 15)};
  }
};

}  // namespace leasemap::explore

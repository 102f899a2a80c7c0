// What is known of the ways to other machines: whether large packets vanish on one of them.
//
// A path that drops packets above some size without a word (RFC 2923, section 2.1, calls it a black hole) lets
// handshakes and heartbeats pass. A link over it is made, stands still at the first large message, and is given up for
// silence; so is the next. After two such ends in a row links to that machine are made with a smaller segment size,
// which the dialer tells the other end, too. After an hour the usual size is tried again.
//
// Time is an input. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace leasemap::net {

// How a link stood when it ended.
enum class LinkEnd {
  kFine,    // nothing that was written waits
  kSilent,  // the machine there takes what is written, and nothing comes: it may be that what it writes vanishes
  kStuck,   // what was written is repeated again and again, while what is small comes from there
};

class Paths {
 public:
  static constexpr int kSmaller = 1200;  // with all headers below 1,280 bytes, which every IPv6 path takes (RFC 8200)
  static constexpr int kSmallest = 536;  // … below 576, the least that an IPv4 host takes (RFC 1122, 3.3.3)
  static constexpr int kEnds = 2;        // in a row: a single one may be a machine that stalled
  static constexpr int64_t kLastsMs = 60'000;  // a link that lasts for so long is none of them
  static constexpr int64_t kForgetMs = 3'600'000;
  static constexpr size_t kMostPaths = 256;  // the one that was heard of first makes room

  // A link to the machine of this IP address ended that had shaken hands. True if links to it will have smaller
  // segments from now on.
  bool Ended(const std::string& ip, LinkEnd end, int64_t lasted_ms, int64_t now_ms);
  // The most bytes of a segment to it; 0: as usual.
  int SegmentTo(const std::string& ip, int64_t now_ms) const;
  // For people: one line for each path with smaller segments on which something was stuck.
  std::map<std::string, std::string> Describe(int64_t now_ms) const;

 private:
  struct Path {
    int ends = 0;     // in a row
    int segment = 0;  // 0: as usual
    bool stuck = false;
    int64_t since_ms = 0;  // the last change
  };
  std::map<std::string, Path> paths_;  // by IP address
};

}  // namespace leasemap::net

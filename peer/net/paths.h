// Remembers the paths to other machines on which large packets are lost.
//
// A path that drops packets above some size without a word (RFC 2923, section 2.1, calls it a black hole) lets
// handshakes and heartbeats pass. A link over it comes up, stalls at the first large message, and ends for silence; so
// does the next. After two such ends in a row links to that machine use a smaller segment size, which the dialer
// announces to the other end. After an hour the usual size is tried again.
//
// Time is an input. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace leasemap::net {

// The state of a link at its end.
enum class LinkEnd {
  kFine,    // nothing that was written waits
  kSilent,  // the other machine acks bytes, and nothing comes from it: perhaps its own large packets are lost
  kStuck,   // written bytes are repeated again and again, while small messages come from there
};

class Paths {
 public:
  static constexpr int kSmaller = 1200;  // with all headers below 1,280 bytes, which every IPv6 path takes (RFC 8200)
  static constexpr int kSmallest = 536;  // … below 576, the least that an IPv4 host takes (RFC 1122, 3.3.3)
  static constexpr int kEnds = 2;        // in a row: a single one may be a machine that stalled
  static constexpr int64_t kLastsMs = 60'000;  // a link that lasts this long is none of them
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

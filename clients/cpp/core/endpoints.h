// Which node is asked next, after what pause, and for how long. Pure: time and chance come in.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace leasemap::internal {

// A time by the clock that nobody sets and that runs while the machine sleeps: since the machine was started.
using Moment = absl::Duration;

// The pause after the first failure of a node, doubled with each further one up to the longest. A node that restarts is
// back within a second or two; one that is gone is asked every two seconds, which costs it nothing.
inline constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
inline constexpr absl::Duration kLongestPause = absl::Seconds(2);
// The pause of a watch for the client's own use that the nodes refused: each try is a line in the nodes' logs.
inline constexpr absl::Duration kRefusedPause = absl::Seconds(30);
// How long one node may take for an answer before the next one is asked. A call takes a millisecond; a node that is
// silent for two seconds is in trouble.
inline constexpr absl::Duration kAttempt = absl::Seconds(2);
// Of a short deadline the first node gets a half, so that there is time to ask another, but not less than this: less
// would take a busy node for one in trouble.
inline constexpr absl::Duration kAttemptLeast = absl::Milliseconds(250);
// A node waits for acks, and for a version, for 5 s at most. The rest is for a slow way.
inline constexpr absl::Duration kAttemptAcks = absl::Seconds(10);

// How long the next node may take, when the caller waits for `left` and the call needs `most`. A call that waits for
// acks or a version gets all that is left: the node answers before that.
absl::Duration AttemptTime(absl::Duration left, absl::Duration most);

// Pauses that double, each cut at random by up to a half, so that programs that failed together come back apart.
class Backoff {
 public:
  absl::Duration Next(double chance);

 private:
  int failures_ = 0;
};

// The nodes of a client, in the order in which they are asked. A client stays with one node, its home, and moves on
// only when that one fails (docs/decisions/0022).
class Endpoints {
 public:
  // `chance` is uniform in [0, 1); it chooses the first home.
  Endpoints(const std::vector<std::string>& targets, std::function<double()> chance);

  // Makes these the nodes from now on, and keeps what is known of those that stay. Not empty.
  void Replace(const std::vector<std::string>& targets);
  // The node to ask: home, or the next one after it that has not just failed; if all have, the one whose pause ends
  // first.
  const std::string& Pick(Moment now);
  // How long to wait until Pick gives a node that may be asked; 0: not at all.
  absl::Duration Pause(Moment now) const;
  void Failed(const std::string& target, Moment now);
  void Worked(const std::string& target);

  const std::string& home() const { return home_; }
  bool Has(const std::string& target) const;

 private:
  struct Trouble {
    Backoff backoff;
    Moment until;  // it is not asked before this
  };
  absl::Duration Wait(const std::string& target, Moment now) const;

  std::function<double()> chance_;
  std::vector<std::string> targets_;
  std::string home_;  // one of the targets
  absl::flat_hash_map<std::string, Trouble> troubles_;
};

struct HostPort {
  std::string host, port;
};
// The endpoints of these texts, each of which may name several with commas between. kInvalidArgument if one is not
// host:port, or there is none.
absl::StatusOr<std::vector<std::string>> SplitEndpoints(const std::vector<std::string>& texts);
// The parts of host:port or [address]:port; nothing if it is neither.
std::optional<HostPort> SplitHostPort(std::string_view endpoint);

}  // namespace leasemap::internal

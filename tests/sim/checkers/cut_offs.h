// Who breaks the rules is cut off and named, nobody else is, and nobody else is harmed: of each message that a node
// takes, what has to come of it. Which processes are in the hands of an adversary is known here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "peer/core/data/mono_time.h"
#include "peer/core/node/node.h"

namespace leasemap::sim {

class CutOffChecker {
 public:
  // The latest incarnation of the node of this ID so far.
  using LatestOf = std::function<uint64_t(const std::string& node)>;
  explicit CutOffChecker(LatestOf latest_of) : latest_of_(std::move(latest_of)) {}

  // The sender of a message: its node ID, and whether that process, or one before it of that ID, is an adversary's.
  struct Sender {
    std::string node;
    bool hostile = false;       // this process
    bool ever_hostile = false;  // or one before it: a successor pays for a flood for a while
  };

  // Before the node takes the message; null: bytes that can't be read.
  void Before(const core::Node& node, core::LinkId link, const Sender& sender, const core::Message* message,
              core::Now now);
  // After it did.
  std::string After(const core::Node& node, core::LinkId link, const Sender& sender);
  uint64_t seen() const { return seen_; }  // cut-offs

 private:
  // What a hostile process sent over one link.
  struct Flood {
    core::MonoTime since;
    int64_t sessions = 0, control = 0;
  };
  bool MustCutOff(const core::Node& node, core::LinkId link, const core::Message* message, core::Now now);

  const LatestOf latest_of_;
  std::map<core::LinkId, Flood> floods_;
  bool must_cut_off_ = false, must_close_ = false, up_before_ = false;
  uint64_t cut_offs_ = 0, seen_ = 0;
  size_t linked_ = 0;
  core::ReplicaId self_;
  uint64_t resets_ = 0;
};

}  // namespace leasemap::sim

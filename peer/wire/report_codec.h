// Reports as they travel on one link: the first whole, later ones as what changed since the one before.
//
// A node reports to each member up to ten times a second, and more often while acks are awaited, and mostly one run of
// its vector has moved: with 30 members a whole report has more than 1.5 KiB, a change less than 60 bytes
// (tests/wire/report_test.cc). Frames of a link come in order, so that both ends remember the same last report. Private
// to peer/wire.
#pragma once

#include "absl/status/status.h"
#include "leasemap/peer/v1/peer.pb.h"
#include "peer/core/data/message.h"

namespace leasemap::wire {

// What the last report on the link said, in one direction.
class LastReport {
 public:
  // Writes the report, as changes if there was one before, and remembers
  // it.
  void ToProto(const core::Report& report, leasemap::peer::v1::Report* out);
  // Reads one, whole or as changes, and remembers it. INVALID_ARGUMENT for what breaks a limit, and for changes of
  // nothing.
  absl::Status FromProto(const leasemap::peer::v1::Report& in, core::Report* out);

 private:
  core::VectorPtr vector_;  // null: there was none
  core::PeersPtr peers_;
};

}  // namespace leasemap::wire

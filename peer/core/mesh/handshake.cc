#include "peer/core/mesh/handshake.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/refusals.h"
#include "peer/core/mesh/clock_guard.h"

namespace leasemap::core {

std::optional<Refuse> JudgeHello(const NodeOptions& options, const ReplicaId& self, const Hello& peer) {
  const auto differs = [&](const char* reason, const std::string& theirs, const std::string& ours) {
    return Refuse{reason, absl::StrCat(Shown(peer.self.node), " has ", theirs, ", ", options.node_id, " has ", ours)};
  };
  if (peer.protocol_max < options.protocol_min || peer.protocol_min > options.protocol_max) {
    return differs("PROTOCOL_MISMATCH", absl::StrCat("protocol ", peer.protocol_min, " to ", peer.protocol_max),
                   absl::StrCat("protocol ", options.protocol_min, " to ", options.protocol_max));
  }
  if (peer.cluster != options.cluster) {
    return differs(kOtherClusterReason, absl::StrCat("cluster ", Shown(peer.cluster)),
                   absl::StrCat("cluster ", options.cluster));
  }
  if (peer.leasing != options.rules.leasing) {
    return differs("LEASING_MISMATCH", absl::StrCat("--leasing=", peer.leasing ? "true" : "false"),
                   absl::StrCat("--leasing=", options.rules.leasing ? "true" : "false"));
  }
  if (peer.leasing && peer.period_ms != options.rules.period_ms) {
    return differs("LEASING_MISMATCH", absl::StrCat("--lease-duration=", peer.period_ms, "ms"),
                   absl::StrCat("--lease-duration=", options.rules.period_ms, "ms"));
  }
  if (!CheckName("node_id", peer.self.node).ok() || peer.self.incarnation == 0) {
    return Refuse{"PROTOCOL_MISMATCH", "the node ID is not 1 to 255 bytes of printable UTF-8"};
  }
  if (const auto& shown = peer.certified; shown && !(shown->is_node && shown->name == peer.self.node)) {
    return Refuse{"CERTIFICATE_MISMATCH", absl::StrCat(Shown(peer.self.node), " shows the certificate of ",
                                                       shown->is_node ? "node " : "client ", Shown(shown->name),
                                                       "; give it one of its own (leasemap tls node)")};
  }
  if (peer.self == self) return Refuse{kSelfReason, ""};
  if (peer.self.node == self.node) {
    return Refuse{kDuplicateIdReason,
                  absl::StrCat("two running nodes are named ", Shown(self.node), "; give each a --node-id of its own")};
  }
  return std::nullopt;
}

uint64_t LaterSelf(const Report& report, const Replica& replica) {
  constexpr uint64_t kNone = UINT64_MAX;  // nobody comes to it by starting, and there is none above
  const ReplicaId& self = replica.self();
  const uint64_t made = replica.own_log().end();
  uint64_t highest = 0;
  for (const auto& [process, coverage] : report.vector->runs()) {
    if (process.node != self.node || process.incarnation == kNone) continue;
    const bool mine = process == self && coverage.Top() < made;
    if (!mine) highest = std::max(highest, process.incarnation);
  }
  // It may have been met without ever having written.
  for (const MemberInfo& info : report.peers->members) {
    if (info.id.node == self.node && info.id > self && info.id.incarnation != kNone) {
      highest = std::max(highest, info.id.incarnation);
    }
  }
  if (report.vector->past() != nullptr) {
    for (const auto& [process, known] : report.vector->past()->known()) {
      const bool mine = process == self && known.prefix < made;
      if (process.node == self.node && !mine && process.incarnation != kNone) {
        highest = std::max(highest, process.incarnation);
      }
    }
  }
  return highest >= self.incarnation ? highest : 0;
}

Refuse ClocksDiffer() { return {kClockMismatch, "the clocks differ by more than the bound; check NTP on both hosts"}; }

}  // namespace leasemap::core

// What a node lets go of (collection.h), and members that are gone.
#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/node.h"

namespace leasemap::core {

void Node::Collect(Now now) {
  if (!readiness_.ready()) return;
  const auto peers_of = [this](const std::string& node) -> const Peers& {
    return links_.at(links_.UpWith(node)).theirs.peers();
  };
  collection_.Fold(now, membership_, peers_of, replica_);
  if (clock_guard_.state() == ClockGuard::State::kAgreed) {
    collection_.Collect(now, options_.rules, options_.forget_after_ms, membership_, replica_);
  }
}

absl::Status Node::Forget(Now now, const std::string& node) {
  const auto it = membership_.members().find(node);
  if (node == replica_.self().node)
    return InvalidField("node_id", "is this node itself; stop it, and forget it elsewhere");
  if (it == membership_.members().end()) {
    if (readiness_.Drop(node)) return absl::OkStatus();  // it was heard once, and never linked
    return InvalidField("node_id", absl::StrCat(Shown(node), " is not a member; ListMembers shows them"));
  }
  if (it->second.linked) {
    return InvalidField("node_id",
                        absl::StrCat(Shown(node), " is linked; only members that are away can be forgotten"));
  }
  readiness_.Drop(node);
  if (membership_.Forget(node)) Log(false, absl::StrCat("forgot ", node));
  Changed();
  SettleWaits(now);  // an ack of all members waits for one less
  return absl::OkStatus();
}

// Those that were silent for long, and those that make room for others.
void Node::ForgetMembers(Now now) {
  for (const auto& node : membership_.ForgetSilent(now.mono - options_.forget_after_ms)) {
    Log(true, absl::StrCat("forgot ", node, ": it was silent for ", ShownDuration(options_.forget_after_ms)));
    Changed();
  }
  for (const auto& node : membership_.MakeRoom(now.mono, vector())) {
    Log(true, absl::StrCat("forgot ", node, ": it was silent for longest, and room was needed for other members"));
    Changed();
  }
}

// Tells all members at once that this node won't come back as it is: they need not wait for it.
void Node::Leave(Now now) {
  if (!membership_.Leave()) return;
  reports_.Changed();
  SendReports(now, true);
}

}  // namespace leasemap::core

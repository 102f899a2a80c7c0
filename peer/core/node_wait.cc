// What clients wait for: acks of a write, a version that is still to come, and what became of both.
//
// Nobody's thread waits. A call that has to wait gets a WaitId; whatever ends the wait puts the answer into the
// effects.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {

int64_t WaitMs(int64_t patience_ms, int64_t most_ms) {
  return std::min(most_ms, std::max<int64_t>(0, patience_ms / 10 * 9 + patience_ms % 10 * 9 / 10));
}

absl::Status Node::CheckWaits() const {
  if (!waits_.full()) return absl::OkStatus();
  auto status = Refusal(absl::StatusCode::kResourceExhausted, "WAIT_LIMIT",
                        "as many calls wait at this node as it can hold; try again in a moment, or ask for less: "
                        "ACK_LOCAL, or no min_version");
  SetRetryMs(status, 100);
  return status;
}

absl::StatusOr<Submitted> Node::Submit(Now now, const WriteCommand& command) {
  auto entry = Write(now, command);
  if (!entry.ok()) return entry.status();
  Submitted out{*entry, 0};
  if (out.entry != nullptr && !command.ack.local() && !command.validate_only) {
    if (auto status = CheckWaits(); !status.ok()) return status;  // only a retry gets here with no room
    const int64_t due_ms = now.mono_ms + WaitMs(command.patience_ms, kWaitMs);
    out.wait = waits_.AwaitAck(out.entry, command.ack, now.mono_ms, due_ms);
    AskForReports(out.entry->dot);
    // A retry may wait for what was replaced already.
    if (const EntryPtr* present = replica_.store().Find(command.key);
        present == nullptr || (*present)->dot != out.entry->dot) {
      waits_.Replaced(out.entry->dot);
    }
  }
  SettleWaits(now);  // this write may have replaced one whose ack is awaited
  return out;
}

// The next Live message asks a neighbour to report at once; where all was sent already, an empty one does.
void Node::AskForReports(const Dot& dot) {
  for (auto& [id, link] : links_) {
    const bool fresh = dot.replica == replica_.self() && link.live_next <= dot.seq;
    if (link.phase == Link::Phase::kUp && !fresh) effects_.send.push_back({id, Live{{}, true}});
  }
}

absl::StatusOr<WaitId> Node::AwaitVersion(Now now, const std::string& version, int64_t patience_ms) {
  const auto dot = ParseVersion(version);
  if (!dot) return InvalidField("min_version", "is no version that a node gave; copy it whole from an answer");
  if (replica_.vector().Covers(*dot)) return 0;
  if (auto status = CheckWaits(); !status.ok()) return status;
  return waits_.AwaitVersion(*dot, now.mono_ms, now.mono_ms + WaitMs(patience_ms, kWaitMs));
}

bool Node::CancelWait(WaitId wait) { return waits_.Cancel(wait) || explains_.Cancel(wait); }

Waits::View Node::WaitsView(Now now) const {
  return {now.mono_ms, membership_.members(), replica_.vector(), replica_.store(), replica_.self().node};
}

void Node::SettleWaits(Now now) {
  waits_.Settle(WaitsView(now), effects_.answered);
  EndExplains(now);
}

void Node::EndWaits(Now now, const char* why) {
  waits_.EndAll(WaitsView(now), why, effects_.answered);
  explains_.EndAll(now.mono_ms);
  EndExplains(now);
}

void Node::NoteConflict(Now now, const EntryPtr& loser, const EntryPtr& winner) {
  if (!IsConflict(*loser, *winner)) return;
  conflicts_.Add({loser, winner, now.wall_ms});
  effects_.changed = true;  // watches that asked for LOST look again
}

}  // namespace leasemap::core

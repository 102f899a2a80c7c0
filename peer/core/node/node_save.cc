// What waits for the disk, and what goes there (saving.h).
#include <utility>
#include <vector>

#include "peer/core/node/node.h"

namespace leasemap::core {

namespace {

// All but what the replica knows itself.
Image ImageOf(bool whole, const Membership& membership) {
  Image image;
  image.whole = whole;
  for (const auto& [node, member] : membership.members()) {
    image.members.push_back({member.id, member.address, member.generation});
  }
  return image;
}

}  // namespace

Image Node::TakeImage() const {
  Image image = ImageOf(readiness_.has_full_map(), membership_);
  replica_.Describe(image);
  for (const auto& [key, slot] : replica_.store().by_key()) image.entries.push_back(slot.entry);
  const Conflicts& conflicts = replica_.conflicts();
  for (uint64_t number = conflicts.first(); number < conflicts.end(); ++number) {
    image.conflicts.emplace(number, conflicts.at(number));
  }
  return image;
}

Unsaved Node::TakeUnsaved() {
  Unsaved piece = replica_.TakeUnsaved(membership_.change(), ImageOf(readiness_.has_full_map(), membership_));
  if (replica_.saving().last()) reports_.ClaimOnceSaved(Reports::ClaimsOf(piece.rest->whole, replica_, membership_));
  return piece;
}

void Node::OnSaved(Now now) {
  if (!replica_.Saved()) return;
  reports_.Saved();
  calls_.held.Release(replica_.saving().saved_change(), effects_.answered);
  effects_.changed = true;  // for watches that wait with a cursor
  SendReports(now, false);
}

void Node::OnSaveFailed() { replica_.SaveFailed(); }

void Node::SetDiskState(DiskState state) {
  if (state == replica_.saving().state()) return;
  const std::string text = state.Describe();
  Log(!text.empty(), text.empty() ? "the disk is good again" : text);
  if (!state.takes()) calls_.held.Fail(state.Unsaved(), effects_.answered);
  replica_.SetDiskState(std::move(state));
  Changed();  // reports tell of it, and watches that wait with a cursor go on without
}

// Gives the answers, once all that was applied up to now is on the disk.
void Node::Answer(std::vector<Effects::Answered> answered) {
  const DiskState& disk = replica_.saving().state();
  for (Effects::Answered& answer : answered) {
    if (replica_.saved()) {
      effects_.answered.push_back(std::move(answer));
    } else if (!disk.takes()) {
      effects_.answered.push_back({answer.wait, disk.Unsaved(), nullptr});
    } else {
      calls_.held.Add(replica_.change(), std::move(answer));
    }
  }
}

// A wait for the disk alone.
WaitId Node::Hold(absl::Status status, EntryPtr entry) {
  const WaitId wait = calls_.waits.NewId();
  Answer({{wait, std::move(status), std::move(entry)}});
  return wait;
}

}  // namespace leasemap::core

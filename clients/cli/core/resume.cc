#include "clients/cli/core/resume.h"

#include <utility>

#include "clients/cli/core/request.h"

namespace leasemap::cli {

bool ResumeFilter::Admit(const v1::Event& event) {
  if (event.kind() == v1::Event::KIND_LOST) return lost_.insert(event.entry().version()).second;
  Printed now = Describe(event);
  now.stream = stream_;
  auto [at, added] = printed_.try_emplace(KeyOf(event.entry()), now);
  if (added) return true;
  Printed& last = at->second;
  last.stream = stream_;
  if (now.version == last.version) {
    // The lapse of an ephemeral key is an event of the version that was set.
    const bool lapsed = event.kind() == v1::Event::KIND_EXPIRED && last.kind != v1::Event::KIND_EXPIRED;
    if (lapsed) last.kind = event.kind();
    return lapsed;
  }
  if (Older(now, last)) return false;
  last = std::move(now);
  return true;
}

void ResumeFilter::OnCursor() {
  printed_.clear();
  lost_.clear();
}

std::vector<v1::Event> ResumeFilter::OnSnapshotEnd() {
  std::vector<v1::Event> vanished;
  for (auto at = printed_.begin(); at != printed_.end();) {
    if (at->second.stream == stream_ || at->second.kind != v1::Event::KIND_SET) {
      ++at;
      continue;
    }
    v1::Event& event = vanished.emplace_back();
    event.set_kind(v1::Event::KIND_DELETED);
    PutKey(at->first, *event.mutable_entry());
    event.mutable_entry()->set_deleted(true);
    at = printed_.erase(at);
  }
  return vanished;
}

ResumeFilter::Printed ResumeFilter::Describe(const v1::Event& event) {
  const v1::Entry& entry = event.entry();
  Printed printed;
  // A key whose lease was renewed is there, as one that was set.
  printed.kind = event.kind() == v1::Event::KIND_LEASE ? v1::Event::KIND_SET : event.kind();
  printed.version = entry.version();
  printed.fencing_token = entry.lease().fencing_token();
  printed.holder = entry.lease().holder();
  printed.update_ns = entry.update_time().seconds() * 1'000'000'000 + entry.update_time().nanos();
  return printed;
}

// The order of merges: the fencing token is epoch and inverted start, so larger stands; then the smaller holder; then
// the later write. Entries that are alike in all of it count as newer: better shown than lost.
bool ResumeFilter::Older(const Printed& a, const Printed& b) {
  if (a.fencing_token != b.fencing_token) return a.fencing_token < b.fencing_token;
  if (a.holder != b.holder) return a.holder > b.holder;
  return a.update_ns < b.update_ns;
}

}  // namespace leasemap::cli

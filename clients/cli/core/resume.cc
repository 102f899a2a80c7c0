#include "clients/cli/core/resume.h"

#include <utility>

#include "clients/cli/core/request.h"

namespace leasemap::cli {

bool ResumeFilter::Admit(const v1::Event& event) {
  if (event.kind() == v1::Event::KIND_LOST) return lost_.insert(event.entry().version()).second;
  Printed now = Describe(event);
  auto [at, added] = printed_.try_emplace(KeyOf(event.entry()), now);
  if (added) return true;
  Printed& last = at->second;
  // One stream has the events of a key in the order in which the node's copy changed.
  if (!last.confirmed && Older(now, last)) {
    last.standing = event;
    return false;
  }
  if (now.version == last.version) {
    last.confirmed = true;
    last.standing.reset();
    // The lapse of an ephemeral key is an event of the version that was set.
    const bool lapsed = event.kind() == v1::Event::KIND_EXPIRED && last.kind != v1::Event::KIND_EXPIRED;
    if (lapsed) last.kind = event.kind();
    return lapsed;
  }
  last = std::move(now);
  return true;
}

std::vector<std::string> ResumeFilter::Unknown() const {
  std::vector<std::string> keys;
  for (const auto& [key, printed] : printed_) {
    if (!printed.confirmed && !printed.standing) keys.push_back(key);
  }
  return keys;
}

void ResumeFilter::Learn(const std::string& key, const v1::Entry* entry) {
  const auto at = printed_.find(key);
  if (at == printed_.end() || entry == nullptr) return;
  if (at->second.kind == v1::Event::KIND_SET && at->second.version == entry->version()) {
    at->second.confirmed = true;
    return;
  }
  at->second.standing.emplace();
  at->second.standing->set_kind(v1::Event::KIND_SET);
  *at->second.standing->mutable_entry() = *entry;
}

std::vector<v1::Event> ResumeFilter::OnCursor() {
  std::vector<v1::Event> standing = TakeBack();
  printed_.clear();
  lost_.clear();
  // An entry that the node was asked for may be newer than the cursor: then the stream brings it again.
  for (const v1::Event& event : standing) {
    if (event.kind() == v1::Event::KIND_SET) printed_.emplace(KeyOf(event.entry()), Describe(event));
  }
  return standing;
}

void ResumeFilter::OnRestart() {
  for (auto& [key, printed] : printed_) {
    printed.confirmed = false;
    printed.standing.reset();
  }
}

std::vector<v1::Event> ResumeFilter::TakeBack() {
  std::vector<v1::Event> all;
  for (auto at = printed_.begin(); at != printed_.end();) {
    Printed& printed = at->second;
    if (printed.standing) {
      const v1::Event& event = all.emplace_back(*std::move(printed.standing));
      printed = Describe(event);
    } else if (!printed.confirmed && printed.kind != v1::Event::KIND_DELETED &&
               printed.kind != v1::Event::KIND_EXPIRED) {
      v1::Event& event = all.emplace_back();
      event.set_kind(v1::Event::KIND_DELETED);
      PutKey(at->first, *event.mutable_entry());
      event.mutable_entry()->set_deleted(true);
      at = printed_.erase(at);  // each later event of the key is new
      continue;
    }
    ++at;
  }
  return all;
}

ResumeFilter::Printed ResumeFilter::Describe(const v1::Event& event) {
  const v1::Entry& entry = event.entry();
  Printed printed;
  // A key whose lease was renewed is there, as one that was set.
  printed.kind = event.kind() == v1::Event::KIND_LEASE ? v1::Event::KIND_SET : event.kind();
  printed.version = entry.version();
  printed.fencing_token = entry.lease().fencing_token();
  printed.holder = entry.lease().holder();
  const auto ns = [](const google::protobuf::Timestamp& time) { return time.seconds() * 1'000'000'000 + time.nanos(); };
  printed.update_ns = ns(entry.update_time());
  printed.value_ns = entry.has_value_time() ? ns(entry.value_time()) : printed.update_ns;
  return printed;
}

// The order of merges: the fencing token is epoch and inverted start, so the larger one remains; then the smaller
// holder; then the newer value; then the later write. The lapse of an entry comes after it. Entries that are alike in
// all of it count as newer: better shown than lost.
bool ResumeFilter::Older(const Printed& a, const Printed& b) {
  if (a.version == b.version) return a.kind == v1::Event::KIND_SET && b.kind == v1::Event::KIND_EXPIRED;
  if (a.fencing_token != b.fencing_token) return a.fencing_token < b.fencing_token;
  if (a.holder != b.holder) return a.holder > b.holder;
  if (a.value_ns != b.value_ns) return a.value_ns < b.value_ns;
  return a.update_ns < b.update_ns;
}

}  // namespace leasemap::cli

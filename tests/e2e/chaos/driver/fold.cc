#include "tests/e2e/chaos/driver/fold.h"

#include <tuple>

#include "absl/strings/str_cat.h"

namespace leasemap::chaos {

Rank RankOf(const v1::Entry& entry) {
  const auto ms = [](const google::protobuf::Timestamp& time) {
    return time.seconds() * 1000 + time.nanos() / 1'000'000;
  };
  const int64_t update_ms = ms(entry.update_time());
  return {entry.lease().fencing_token(), entry.lease().holder(),
          entry.has_value_time() ? ms(entry.value_time()) : update_ms, update_ms};
}

bool Below(const Rank& a, const Rank& b) {
  return std::tie(a.token, b.holder, a.value_ms, a.update_ms) < std::tie(b.token, a.holder, b.value_ms, b.update_ms);
}

void Fold::Begin(bool snapshot) {
  pending_.clear();
  snapshot_ = snapshot;
  ended_ = false;
}

std::string Fold::Take(const v1::WatchResponse& message) {
  pending_.insert(pending_.end(), message.events().begin(), message.events().end());
  ended_ = ended_ || message.snapshot_end();
  if (message.cursor().empty()) return "";
  if (snapshot_ && !ended_) return "a cursor came before the snapshot's end";
  if (snapshot_) known_.clear();
  snapshot_ = false;
  cursor_ = message.cursor();
  std::string wrong;
  for (const v1::Event& event : pending_) {
    const std::string one = Apply(event);
    if (wrong.empty()) wrong = one;
  }
  pending_.clear();
  return wrong;
}

std::string Fold::Apply(const v1::Event& event) {
  const v1::Entry& entry = event.entry();
  const bool lives = event.kind() == v1::Event::KIND_SET || event.kind() == v1::Event::KIND_LEASE;
  Known next{RankOf(entry), entry.version(), !lives};
  const auto [it, is_new] = known_.try_emplace(entry.key());
  std::string wrong;
  // An ephemeral key's lapse is told of the entry that was told before.
  const bool lapse = event.kind() == v1::Event::KIND_EXPIRED;
  if (!is_new && it->second.version == next.version && (!lapse || it->second.deleted)) {
    wrong = absl::StrCat(entry.key(), " came twice, version ", next.version);
  } else if (!is_new && Below(next.rank, it->second.rank)) {
    wrong = absl::StrCat(entry.key(), " fell from version ", it->second.version, " to ", next.version);
  }
  it->second = next;
  if (next.deleted) {
    const auto [grave, first] = graves_.try_emplace(entry.key(), next);
    if (!first && Below(grave->second.rank, next.rank)) grave->second = std::move(next);
  }
  return wrong;
}

}  // namespace leasemap::chaos

#include "peer/core/node/explain.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {
namespace {

// Two digits a byte. Turned around the smaller string has the greater text; "ff" ends it then, above any byte that
// follows in a longer one (no name has a byte 0).
std::string Hex(std::string_view text, bool turned) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    absl::StrAppendFormat(&out, "%02x", turned ? 0xff - byte : byte);
  }
  return turned ? out + "ff" : out;
}

uint64_t CountOf(const Coverage& coverage) {
  uint64_t count = coverage.prefix;
  for (const auto& [first, last] : coverage.exceptions) count += last - first + 1;
  return count;
}

uint64_t CountBoth(const Coverage& a, const Coverage& b) {
  Coverage both = a;
  both.Add(1, b.prefix);
  for (const auto& [first, last] : b.exceptions) both.Add(first, last);
  return CountOf(both);
}

EntryPtr WithoutValue(const EntryPtr& entry) {
  if (entry == nullptr || (entry->value.empty() && entry->unknown_fields.empty())) return entry;
  auto out = std::make_shared<Entry>(*entry);
  out->value = {};
  out->unknown_fields = {};
  return out;
}

}  // namespace

QueryReply ReplyTo(const Query& query, const Store& store, const VectorPtr& whole) {
  const EntryPtr* entry = store.Find(query.key);
  QueryReply reply{query.token, entry ? WithoutValue(*entry) : nullptr, whole};
  if (whole->exceptions() > kReportExceptions) {
    bool cut = false;
    reply.vector = std::make_shared<const VersionVector>(whole->CutShort(kReportExceptions, &cut));
  }
  return reply;
}

std::string RankText(const Entry& entry) {
  return absl::StrFormat("%016x-%016x-%s-%016x-%016x-%s-%016x-%016x", entry.lease.epoch,
                         ~static_cast<uint64_t>(entry.lease.start_s), Hex(entry.lease.holder, true), ValueStamp(entry),
                         entry.stamp, Hex(entry.dot.replica.node, true), ~entry.dot.replica.incarnation,
                         ~entry.dot.seq);
}

uint64_t CountLacking(const VersionVector& theirs, const VersionVector& ours) {
  const Meaning meaning = ours.MeaningOf(theirs);
  uint64_t lacking = 0;
  for (const auto& [replica, coverage] : ours.runs()) {
    if (ours.KnowsCovered(theirs, meaning, {replica, coverage.Top()})) continue;
    auto it = theirs.runs().find(replica);
    const Coverage known = it == theirs.runs().end() ? Coverage{} : it->second;
    lacking += CountBoth(known, coverage) - CountOf(known);
  }
  return lacking;
}

bool Explains::full() const { return pending_.size() >= kMaxExplains; }

void Explains::Begin(WaitId wait, VectorPtr ours, Explanation known, std::map<LinkId, size_t> asked, MonoTime due) {
  pending_.emplace(wait, Pending{std::move(ours), std::move(known), std::move(asked), due});
}

void Explains::OnReply(LinkId link, const QueryReply& reply) {
  auto it = pending_.find(reply.token);
  if (it == pending_.end()) return;  // it was answered without this one
  Pending& pending = it->second;
  auto asked = pending.asked.find(link);
  if (asked == pending.asked.end()) return;
  MemberView& view = pending.explanation.views[asked->second];
  view.answered = true;
  view.entry = reply.entry;
  view.lag_known = true;
  view.lag = CountLacking(*reply.vector, *pending.ours);
  view.age_ms = 0;
  pending.asked.erase(asked);
}

std::vector<Effects::Answered> Explains::TakeEnded(MonoTime mono, absl::FunctionRef<bool(LinkId)> is_there) {
  std::vector<Effects::Answered> ended;
  for (auto it = pending_.begin(); it != pending_.end();) {
    Pending& pending = it->second;
    std::erase_if(pending.asked, [&](const auto& asked) { return !is_there(asked.first); });
    if (!pending.asked.empty() && mono < pending.due) {
      ++it;
      continue;
    }
    ended.push_back(
        {it->first, absl::OkStatus(), nullptr, std::make_shared<const Explanation>(std::move(pending.explanation))});
    it = pending_.erase(it);
  }
  return ended;
}

void Explains::EndAll(MonoTime mono) {
  for (auto& [wait, pending] : pending_) pending.due = mono;
}

MonoTime Explains::NextDue() const {
  MonoTime due = MonoTime::Never();
  for (const auto& [wait, pending] : pending_) due = std::min(due, pending.due);
  return due;
}

}  // namespace leasemap::core

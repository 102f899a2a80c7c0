// Explain: asks every linked member how it sees one key, and shows the answers beside one another.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

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

absl::StatusOr<WaitId> Node::Explain(Now now, const std::string& key, int64_t patience_ms) {
  if (auto status = CheckKey(key); !status.ok()) return status;
  if (auto status = SpendControl(now); !status.ok()) return status;
  if (explains_.size() >= kMaxExplains) {
    auto status = Refusal(absl::StatusCode::kResourceExhausted, "WAIT_LIMIT",
                          "as many Explain calls wait at this node as it can hold; try again in a moment");
    SetRetryMs(status, 1000);
    return status;
  }
  const WaitId wait = waits_.NewId();
  PendingExplain pending{WholeVector(), {}, {}, now.mono_ms + WaitMs(patience_ms, kExplainMs)};
  const EntryPtr* own = store_.Find(key);
  pending.explanation.views.push_back({self_, true, true, own ? *own : nullptr, true, 0, 0});
  for (const auto& [node, member] : membership_.members()) {
    if (member.gone()) continue;
    MemberView view;
    view.member = member.id;
    if (member.report) {
      view.lag_known = true;
      view.lag = CountLacking(*member.report, vector_);
      view.age_ms = now.mono_ms - member.report_mono_ms;
    }
    if (const LinkId id = UpLinkOf(node); id != 0 && links_.at(id).protocol >= kProtocolQuery) {
      view.asked = true;
      pending.asked[id] = pending.explanation.views.size();
      effects_.send.push_back({id, Query{wait, key}});
    }
    pending.explanation.views.push_back(std::move(view));
  }
  explains_.emplace(wait, std::move(pending));
  EndExplains(now);
  return wait;
}

void Node::OnQuery(LinkId id, const Query& query) {
  const EntryPtr* entry = store_.Find(query.key);
  bool cut = false;
  const VectorPtr whole = ForPeer(links_.at(id), SharedVector());
  QueryReply reply{query.token, entry ? WithoutValue(*entry) : nullptr, whole};
  if (whole->exceptions() > kReportExceptions) {
    reply.vector = std::make_shared<const VersionVector>(whole->CutShort(kReportExceptions, &cut));
  }
  effects_.send.push_back({id, std::move(reply)});
}

void Node::OnQueryReply(Now now, LinkId id, const QueryReply& reply) {
  auto it = explains_.find(reply.token);
  if (it == explains_.end()) return;  // it was answered without this one
  PendingExplain& pending = it->second;
  auto asked = pending.asked.find(id);
  if (asked == pending.asked.end()) return;
  MemberView& view = pending.explanation.views[asked->second];
  view.answered = true;
  view.entry = reply.entry;
  view.lag_known = true;
  view.lag = CountLacking(*reply.vector, *pending.vector);
  view.age_ms = 0;
  pending.asked.erase(asked);
  EndExplains(now);
}

void Node::EndExplains(Now now) {
  for (auto it = explains_.begin(); it != explains_.end();) {
    PendingExplain& pending = it->second;
    std::erase_if(pending.asked, [&](const auto& asked) { return !links_.contains(asked.first); });
    if (!pending.asked.empty() && now.mono_ms < pending.due_ms) {
      ++it;
      continue;
    }
    effects_.answered.push_back(
        {it->first, absl::OkStatus(), nullptr, std::make_shared<const Explanation>(std::move(pending.explanation))});
    it = explains_.erase(it);
  }
}

int64_t Node::NextExplainDue() const {
  int64_t due = INT64_MAX;
  for (const auto& [wait, pending] : explains_) due = std::min(due, pending.due_ms);
  return due;
}

}  // namespace leasemap::core

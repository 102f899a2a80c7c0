// Explain: asks every linked member how it sees one key, and shows the answers beside one another.
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {
namespace {

EntryPtr WithoutValue(const EntryPtr& entry) {
  if (entry == nullptr || (entry->value.empty() && entry->unknown_fields.empty())) return entry;
  auto out = std::make_shared<Entry>(*entry);
  out->value = {};
  out->unknown_fields = {};
  return out;
}

}  // namespace

absl::StatusOr<WaitId> Node::Explain(Now now, const std::string& key, int64_t patience_ms) {
  if (auto status = CheckKey(key); !status.ok()) return status;
  if (auto status = SpendControl(now); !status.ok()) return status;
  if (explains_.full()) {
    auto status = Refusal(absl::StatusCode::kResourceExhausted, "WAIT_LIMIT",
                          "as many Explain calls wait at this node as it can hold; try again in a moment");
    SetRetryMs(status, 1000);
    return status;
  }
  const WaitId wait = waits_.NewId();
  Explanation known;
  std::map<LinkId, size_t> asked;
  const EntryPtr* own = replica_.store().Find(key);
  known.views.push_back({replica_.self(), true, true, own ? *own : nullptr, true, 0, 0});
  for (const auto& [node, member] : membership_.members()) {
    if (member.gone()) continue;
    MemberView view;
    view.member = member.id;
    if (member.report) {
      view.lag_known = true;
      view.lag = CountLacking(*member.report, replica_.vector());
      view.age_ms = now.mono_ms - member.report_mono_ms;
    }
    if (const LinkId id = UpLinkOf(node); id != 0 && links_.at(id).protocol >= kProtocolQuery) {
      view.asked = true;
      asked[id] = known.views.size();
      effects_.send.push_back({id, Query{wait, key}});
    }
    known.views.push_back(std::move(view));
  }
  explains_.Begin(wait, replica_.Whole(membership_), std::move(known), std::move(asked),
                  now.mono_ms + WaitMs(patience_ms, kExplainMs));
  EndExplains(now);
  return wait;
}

void Node::OnQuery(LinkId id, const Query& query) {
  const EntryPtr* entry = replica_.store().Find(query.key);
  bool cut = false;
  const VectorPtr whole = ForPeer(links_.at(id), replica_.Shared(membership_));
  QueryReply reply{query.token, entry ? WithoutValue(*entry) : nullptr, whole};
  if (whole->exceptions() > kReportExceptions) {
    reply.vector = std::make_shared<const VersionVector>(whole->CutShort(kReportExceptions, &cut));
  }
  effects_.send.push_back({id, std::move(reply)});
}

void Node::OnQueryReply(Now now, LinkId id, const QueryReply& reply) {
  explains_.OnReply(id, reply);
  EndExplains(now);
}

void Node::EndExplains(Now now) {
  for (auto& ended : explains_.TakeEnded(now.mono_ms, [&](LinkId id) { return links_.contains(id); })) {
    effects_.answered.push_back(std::move(ended));
  }
}

}  // namespace leasemap::core

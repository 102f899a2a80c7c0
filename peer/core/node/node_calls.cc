// What clients ask for beside reads and writes: acks, versions that are still to come, explanations, watches.
//
// Nobody's thread waits. A call that has to wait gets a WaitId; what ends the wait puts the answer into the effects.
#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/mesh/named_vector.h"
#include "peer/core/node/node.h"
#include "peer/core/node/watch_reader.h"

namespace leasemap::core {
namespace {

// A refusal for what the map has, rather than for the request or for the state of the node.
bool TellsOfMap(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsFailedPrecondition(status) || absl::IsAborted(status);
}

}  // namespace

absl::StatusOr<Submitted> Node::Submit(Now now, const WriteCommand& command) {
  if (options_.disk && calls_.held.size() >= kMaxWaits) return calls_.waits.Full();
  auto entry = Write(now, command);
  if (!entry.ok()) {
    const bool waits = TellsOfMap(entry.status()) && !replica_.saved() && !command.validate_only;
    if (!waits) return entry.status();
    return Submitted{nullptr, Hold(entry.status(), nullptr)};
  }
  Submitted out{*entry, 0};
  if (out.entry != nullptr && !command.ack.local() && !command.validate_only) {
    if (auto status = calls_.waits.CheckRoom(); !status.ok()) return status;  // only a retry gets here with no room
    const MonoTime due = now.mono + WaitMs(command.patience_ms, kWaitMs);
    out.wait = calls_.waits.AwaitAck(out.entry, command.ack, now.mono, due);
    // The next Live message asks a neighbour to report at once; where all was sent already, an empty one does.
    for (const auto& [id, link] : links_) {
      const bool ahead = out.entry->dot.replica == replica_.self() && link.out.IsAhead(out.entry->dot.seq);
      if (link.up() && !ahead) Send(id, Live{{}, true});
    }
    // A retry may wait for what was replaced already.
    if (!replica_.IsPresent(*out.entry)) calls_.waits.Replaced(out.entry->dot);
  }
  SettleWaits(now);  // this write may have replaced one whose ack is awaited
  if (out.wait == 0 && !replica_.saved() && !command.validate_only) out.wait = Hold(absl::OkStatus(), out.entry);
  return out;
}

absl::StatusOr<WaitId> Node::AwaitVersion(Now now, const std::string& version, int64_t patience_ms) {
  const auto dot = ParseVersion(version);
  if (!dot) return InvalidField("min_version", "is no version that a node gave; copy it whole from an answer");
  if (replica_.vector().Covers(*dot) && replica_.saved()) return 0;
  if (options_.disk && calls_.held.size() >= kMaxWaits) return calls_.waits.Full();
  if (replica_.vector().Covers(*dot)) return Hold(absl::OkStatus(), nullptr);
  if (auto status = calls_.waits.CheckRoom(); !status.ok()) return status;
  return calls_.waits.AwaitVersion(*dot, now.mono, now.mono + WaitMs(patience_ms, kWaitMs));
}

void Node::SettleWaits(Now now) {
  std::vector<Effects::Answered> answered;
  calls_.waits.Settle({now.mono, membership_.members(), vector(), store(), replica_.self().node}, answered);
  const auto is_there = [&](LinkId id) { return links_.contains(id); };
  if (!answered.empty()) Answer(std::move(answered));
  // An explanation tells what is in memory, as reads do.
  for (auto& ended : calls_.explains.TakeEnded(now.mono, is_there)) effects_.answered.push_back(std::move(ended));
}

void Node::EndWaits(Now now, const char* why) {
  std::vector<Effects::Answered> answered;
  calls_.waits.EndAll({now.mono, membership_.members(), vector(), store(), replica_.self().node}, why, answered);
  Answer(std::move(answered));
  calls_.explains.EndAll(now.mono);
  SettleWaits(now);
}

absl::StatusOr<WaitId> Node::Explain(Now now, const std::string& key, int64_t patience_ms) {
  if (auto status = CheckKey(key); !status.ok()) return status;
  if (auto status = links_.quarantine().ChargeClient(now.mono); !status.ok()) return status;
  if (calls_.explains.full()) {
    auto status = Refusal(absl::StatusCode::kResourceExhausted, "WAIT_LIMIT",
                          "this node holds as many waiting Explain calls as it can; try again in a moment");
    SetRetryMs(status, 1000);
    return status;
  }
  const WaitId wait = calls_.waits.NewId();
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
      view.age_ms = now.mono - member.report_mono;
    }
    if (const LinkId id = links_.UpWith(node); id != LinkId::kNone) {
      view.asked = true;
      asked[id] = known.views.size();
      Send(id, Query{wait, key});
    }
    known.views.push_back(std::move(view));
  }
  calls_.explains.Begin(wait, WholeVector(replica_, membership_), std::move(known), std::move(asked),
                        now.mono + WaitMs(patience_ms, kExplainMs));
  SettleWaits(now);
  return wait;
}

template <typename Read>
auto Node::WithReader(Now now, Read read) const {
  const auto is_linked = [this](const ReplicaId& process) { return links_.IsUpWith(process); };
  const auto named = [this](const VersionVector& vector) {
    return &vector == &replica_.vector() ? *SharedVector(replica_, membership_)
                                         : vector.Naming(membership_.Present()).Brief();
  };
  return read(
      WatchReader({now, options_, replica_.self(), shown(), retirement_.maps(), replica_.vector(), replica_.conflicts(),
                   membership_, clock_guard_.trusted(), shown().HorizonAt(now, clock_guard_.trusted()),
                   replica_.saving(), KeptDeadMs(options_.rules), is_linked, named}));
}

absl::StatusOr<Watch> Node::StartWatch(Now now, WatchFilter filter, bool snapshot, const std::string& cursor) const {
  return WithReader(now, [&](const WatchReader& reader) { return reader.Start(std::move(filter), snapshot, cursor); });
}

absl::StatusOr<WatchBatch> Node::ReadWatch(Now now, Watch& watch) const {
  return WithReader(now, [&](const WatchReader& reader) { return reader.Read(watch); });
}

}  // namespace leasemap::core

// See script_text.h.
#include "tests/core/script_text.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "peer/core/data/error.h"
#include "peer/core/data/lease.h"
#include "tests/core/script.h"

namespace leasemap::core {

void ScriptText::Meet(const ReplicaId& replica) {
  if (processes_.contains(replica)) return;
  int number = 1;
  for (const auto& [known, its] : processes_) number += known.node == replica.node;
  processes_[replica] = number;
}

std::string ScriptText::OfReplica(const ReplicaId& replica) const {
  const auto it = processes_.find(replica);
  if (it == processes_.end()) return absl::StrCat(replica.node, "/?");
  return it->second == 1 ? replica.node : absl::StrCat(replica.node, "/", it->second);
}

std::string ScriptText::OfDot(const Dot& dot) const { return absl::StrCat(OfReplica(dot.replica), "#", dot.seq); }

std::optional<Dot> ScriptText::DotOf(const std::string& name) const {
  const std::pair<std::string, std::string> parts = absl::StrSplit(name, absl::MaxSplits('#', 1));
  uint64_t seq = 0;
  if (!absl::SimpleAtoi(parts.second, &seq) || seq == 0) return std::nullopt;
  for (const auto& [replica, number] : processes_) {
    if (OfReplica(replica) == parts.first) return Dot{replica, seq};
  }
  return std::nullopt;
}

// The write, and the one that set the value if that is another.
std::string ScriptText::OfWrite(const Entry& entry) const {
  const bool keeps = !entry.tombstone && ValueDot(entry) != entry.dot;
  return absl::StrCat("(", OfDot(entry.dot), keeps ? absl::StrCat(", value of ", OfDot(ValueDot(entry))) : "", ")");
}

std::string ScriptText::Holding(const Entry& entry) const {
  const Lease& lease = entry.lease;
  if (lease.released) return absl::StrCat("released by ", lease.holder);
  if (lease.duration_ms == 0) return "no lease";
  const int64_t left_ms = lease.expire_ms - now_ms_;
  if (left_ms <= 0) return absl::StrCat("lease of ", lease.holder, " over for ", ShowTime(-left_ms));
  return absl::StrCat("leased by ", lease.holder, " for ", ShowTime(left_ms), entry.ephemeral ? ", ephemeral" : "");
}

std::string ScriptText::OfEntry(const Entry& entry) const {
  if (entry.tombstone) return absl::StrCat(entry.key, " deleted ", OfWrite(entry));
  return absl::StrCat(entry.key, " = ", entry.value.str(), " ", OfWrite(entry), ", ", Holding(entry));
}

std::string ScriptText::OfAnswer(const Entry& entry) const {
  return entry.tombstone ? OfEntry(entry) : absl::StrCat(entry.key, " ", OfWrite(entry), ", ", Holding(entry));
}

std::string ScriptText::OfSlot(const Store::Slot& slot) const {
  return slot.lapsed ? absl::StrCat(slot.entry->key, " lapsed ", OfWrite(*slot.entry)) : OfEntry(*slot.entry);
}

std::string ScriptText::OfEvent(const WatchEvent& event) const {
  const Entry& entry = *event.entry;
  switch (event.kind) {
    case EventKind::kSet:
      return absl::StrCat("SET ", OfEntry(entry));
    case EventKind::kDeleted:
      return absl::StrCat("DELETED ", entry.key, " ", OfWrite(entry));
    case EventKind::kExpired:
      return absl::StrCat("EXPIRED ", entry.key, " ", OfWrite(entry));
    case EventKind::kLost:
      return absl::StrCat("LOST ", OfLoss(entry, *event.winner));
    case EventKind::kLease:
      return absl::StrCat("LEASE ", OfAnswer(entry));
  }
  return "";
}

std::string ScriptText::OfLoss(const Entry& loser, const Entry& winner) const {
  const auto of = [&](const Entry& entry) {
    const std::string what = entry.tombstone ? "a delete" : entry.value.str();
    return absl::StrCat(what, " ", OfWrite(entry), " of ", entry.lease.holder);
  };
  return absl::StrCat(loser.key, ": ", of(loser), " to ", of(winner));
}

std::string ScriptText::OfLease(const Entry& entry, int64_t period_ms) const {
  const Lease& lease = entry.lease;
  const int64_t began_ms = static_cast<int64_t>(lease.epoch >> kEpochShift);
  const int64_t period = (began_ms - (begin_ms_ - begin_ms_ % period_ms)) / period_ms;
  return absl::StrCat(Holding(entry), "; asked for ", ShowTime(lease.duration_ms), ", starts at ",
                      ShowTime(lease.start_s * 1000 - begin_ms_), ", period ", period, ", acquisition ",
                      lease.epoch % (uint64_t{1} << kEpochShift));
}

std::string ScriptText::OfVector(const VersionVector& vector) const {
  const auto range = [](uint64_t first, uint64_t last) {
    return first == last ? absl::StrCat(first) : absl::StrCat(first, "-", last);
  };
  std::vector<std::string> out;
  for (const auto& [replica, coverage] : vector.runs()) {
    std::vector<std::string> parts;
    if (coverage.prefix > 0) parts.push_back(range(1, coverage.prefix));
    for (const auto& [first, last] : coverage.exceptions) parts.push_back(range(first, last));
    if (!parts.empty()) out.push_back(absl::StrCat(OfReplica(replica), "#", absl::StrJoin(parts, ",")));
  }
  if (vector.past_mark().upto != 0) out.emplace_back("and the past");
  return out.empty() ? "(nothing)" : absl::StrJoin(out, " ");
}

std::string ScriptText::OfError(const absl::Status& status) const {
  const std::string reason = ReasonOf(status);
  if (reason.empty()) return status.ToString();
  auto details = MetadataOf(status);
  if (reason == "LEASE_HELD") {
    return absl::StrCat(reason, " by ", details["holder"], ", retry in ", ShowTime(RetryMsOf(status)));
  }
  if (reason == "SUPERSEDED") {
    const auto winner = ParseVersion(details["winner_version"]);
    return absl::StrCat(reason, " by ", winner ? OfDot(*winner) : "?", " of ", details["winner_holder"]);
  }
  if (reason == "ACK_INCOMPLETE") {
    return absl::StrCat(reason, ": acked by ", details["acked"], "; not by ", details["not_acked"]);
  }
  return details.contains("field") ? absl::StrCat(reason, ": ", details["field"]) : reason;
}

}  // namespace leasemap::core

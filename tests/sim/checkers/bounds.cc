#include "tests/sim/checkers/bounds.h"

#include <algorithm>
#include <initializer_list>
#include <variant>
#include <vector>

#include "peer/core/data/limits.h"

namespace leasemap::sim {
namespace {

struct Bound {
  const char* what;
  size_t held, most;
};

std::string CheckAll(std::initializer_list<Bound> bounds) {
  for (const Bound& bound : bounds) {
    if (bound.held <= bound.most) continue;
    return std::to_string(bound.held) + " " + bound.what + ", more than " + std::to_string(bound.most);
  }
  return "";
}

size_t FoldedOf(const core::VectorPtr& vector) { return vector && vector->past() ? vector->past()->known().size() : 0; }

// Processes of which nothing is covered and that the past mark would not stand for: a receiver can't read that.
size_t NamedForNothing(const core::VectorPtr& vector) {
  if (!vector) return 0;
  return static_cast<size_t>(std::count_if(vector->runs().begin(), vector->runs().end(), [&](const auto& run) {
    return run.second == core::Coverage() && run.first.incarnation > vector->past_mark().upto;
  }));
}

// Full of small entries, or of one large one.
std::string CheckBatch(const std::vector<core::EntryPtr>& entries) {
  size_t bytes = 0;
  for (const core::EntryPtr& entry : entries) bytes += core::Weight(*entry);
  return CheckAll({{"entries in a message", entries.size(), core::kBatchEntries},
                   {"bytes of entries in a message", entries.size() > 1 ? bytes : 0, core::kBatchBytes}});
}

std::string CheckReport(const core::Report& report, size_t folded) {
  size_t relayed = 0;
  size_t for_nothing = NamedForNothing(report.vector) + NamedForNothing(report.floor);
  for (const core::Relay& relay : report.relays) {
    relayed += FoldedOf(relay.vector);
    for_nothing += NamedForNothing(relay.vector);
  }
  return CheckAll({{"exceptions in a report", report.vector->exceptions(), core::kReportExceptions},
                   {"members in a report", report.peers->members.size(), core::kMaxMembers + 1},
                   {"links in a report", report.peers->linked.size(), core::kMaxMembers},
                   {"relays in a report", report.relays.size(), core::kMaxMembers},
                   {"folded incarnations in a report", FoldedOf(report.vector), folded},
                   {"folded incarnations that are relayed", relayed, 0},
                   {"processes named for nothing", for_nothing, 0}});
}

}  // namespace

std::string CheckHeld(const core::Usage& usage) {
  return CheckAll({
      {"entries in the own log", usage.own_log, core::kOwnLogEntries},
      {"bytes in the own log", usage.own_log > 1 ? usage.own_log_bytes : 0, core::kOwnLogBytes},
      {"requests", usage.requests, core::kMaxRequests},
      {"waits", usage.waits, core::kMaxWaits},
      {"explains", usage.explains, core::kMaxExplains},
      {"conflicts", usage.conflicts, core::kMaxConflicts},
      {"bytes of conflicts", usage.conflicts > 1 ? usage.conflict_bytes : 0, core::kMaxConflictBytes},
      {"refusals remembered", usage.refusals, core::kMaxLoggedRefusals},
      {"links", usage.links, core::kMaxLinks},
      {"members", usage.members, core::kMaxMembers},
      {"addresses", usage.targets, core::kMaxTargets},
      {"members in quarantine", usage.quarantined, core::kMaxMembers},
      {"rates", usage.rates, core::kMaxMembers + 1},
      {"folded incarnations", usage.folded, core::kMaxFolded},
  });
}

std::string CheckSize(const core::Message& message) {
  if (const auto* live = std::get_if<core::Live>(&message)) return CheckBatch(live->entries);
  if (const auto* entries = std::get_if<core::SessionEntries>(&message)) return CheckBatch(entries->entries);
  if (const auto* report = std::get_if<core::Report>(&message)) return CheckReport(*report, 0);
  if (const auto* accept = std::get_if<core::Accept>(&message)) return CheckReport(accept->report, core::kMaxFolded);
  if (const auto* end = std::get_if<core::SessionEnd>(&message)) {
    return CheckAll({{"folded incarnations in a session", FoldedOf(end->vector), core::kMaxFolded},
                     {"processes named for nothing", NamedForNothing(end->vector) + NamedForNothing(end->floor), 0}});
  }
  if (const auto* request = std::get_if<core::SessionRequest>(&message)) {
    return CheckAll({{"folded incarnations in a request", FoldedOf(request->vector), core::kMaxFolded},
                     {"processes named for nothing", NamedForNothing(request->vector), 0},
                     {"buckets in a request", request->buckets.size(), core::kHashBuckets}});
  }
  if (const auto* broadcast = std::get_if<core::Broadcast>(&message)) {
    return CheckAll({{"bytes in a broadcast", broadcast->payload.size(), core::kMaxBroadcastBytes}});
  }
  if (const auto* reply = std::get_if<core::QueryReply>(&message)) {
    return CheckAll({{"exceptions in an answer", reply->vector->exceptions(), core::kReportExceptions}});
  }
  return "";
}

std::string CheckSize(const core::WatchBatch& batch) {
  size_t bytes = 0;  // losses are told beside these
  for (const core::WatchEvent& event : batch.events) {
    if (event.kind != core::EventKind::kLost) bytes += core::Weight(*event.entry);
  }
  return CheckAll({{"events in a batch", batch.events.size(), core::kWatchBatchEvents},
                   {"bytes of events in a batch", batch.events.size() > 1 ? bytes : 0, core::kWatchBatchBytes},
                   {"bytes in a cursor", batch.cursor.size(), core::kMaxCursorBytes}});
}

}  // namespace leasemap::sim

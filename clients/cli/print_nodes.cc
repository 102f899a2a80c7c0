// Shows the answers about nodes and their cluster as tables and lists.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cli/core/columns.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/show.h"
#include "clients/cli/core/text.h"
#include "clients/cli/print.h"
#include "clients/cli/terminal.h"

namespace leasemap::cli {
namespace {

void PrintLine(const char* name, const std::string& text) {
  std::cout << std::left << std::setw(16) << name << text << "\n";
}

const char* DiskNote(v1::GetStatusResponse::DiskState state) {
  switch (state) {
    case v1::GetStatusResponse::DISK_STATE_SHORT:
      return ": full, but for its reserve";
    case v1::GetStatusResponse::DISK_STATE_FULL:
      return ": full; nothing is saved";
    case v1::GetStatusResponse::DISK_STATE_FAILED:
      return ": it fails; nothing is saved";
    default:
      return "";
  }
}

// "alice: 3 of 10 keys, 2100 bytes, 1 of 5 watches, 1 connections"
std::string Describe(const v1::PrincipalUse& use) {
  const auto count = [](uint64_t has, uint64_t most, const char* what) {
    return most == 0 ? absl::StrCat(has, " ", what) : absl::StrCat(has, " of ", most, " ", what);
  };
  return absl::StrCat(Escape(use.name()), ": ", count(use.keys(), use.max_keys(), "keys"), ", ",
                      count(use.bytes(), use.max_bytes(), "bytes"), ", ",
                      count(use.watches(), use.max_watches(), "watches"), ", ",
                      count(use.connections(), use.max_connections(), "connections"));
}

}  // namespace

void PrintViews(const v1::ExplainResponse& response) {
  std::vector<Columns::Row> rows = {{"NODE", "ANSWER", "HOLDER", "VERSION", "LAG", "RANK"}};
  for (const v1::MemberView& view : response.views()) {
    const v1::Entry& entry = view.entry();
    const std::string answer = !view.asked()       ? "not asked"
                               : !view.answered()  ? "silent"
                               : !view.has_entry() ? "no entry"
                               : entry.deleted()   ? "deleted"
                                                   : "has it";
    const std::string age = view.age().seconds() > 0 ? absl::StrCat(" ", ShowDuration(view.age()), " ago") : "";
    rows.push_back({Escape(view.node_id()), answer, view.has_entry() ? Escape(entry.lease().holder()) : "-",
                    view.has_entry() ? Escape(entry.version()) : "-",
                    view.has_lag() ? absl::StrCat(view.lag(), age) : "unknown",
                    view.has_entry() ? Escape(view.rank()) : "-"});
  }
  Columns columns;
  PrintTable(columns, rows, true);
}

void PrintConflicts(const v1::ListConflictsResponse& response) {
  std::vector<Columns::Row> rows = {{"FOUND", "KEY", "LOSER", "ITS VERSION", "WINNER", "ITS VERSION"}};
  for (const v1::Conflict& conflict : response.conflicts()) {
    rows.push_back({ShowTime(conflict.found_time()), Escape(KeyOf(conflict.loser())),
                    Escape(conflict.loser().lease().holder()), Escape(conflict.loser().version()),
                    Escape(conflict.winner().lease().holder()), Escape(conflict.winner().version())});
  }
  Columns columns;
  PrintTable(columns, rows, true);
  const uint64_t earlier = response.total() - static_cast<uint64_t>(response.conflicts_size());
  if (earlier > 0) std::cout << "(and " << earlier << " before these)\n";
}

void PrintMembers(const v1::ListMembersResponse& response) {
  size_t widest_id = 4;
  size_t widest_address = 7;
  for (const v1::Member& member : response.members()) {
    widest_id = std::max(widest_id, member.node_id().size());
    widest_address = std::max(widest_address, member.address().size());
  }
  const auto line = [&](const std::string& id, const std::string& address, const std::string& state,
                        const std::string& heard) {
    std::cout << std::left << std::setw(static_cast<int>(widest_id) + 2) << id
              << std::setw(static_cast<int>(widest_address) + 2) << address << std::setw(9) << state << heard << "\n";
  };
  line("NODE", "ADDRESS", "STATE", "LAST HEARD");
  for (const v1::Member& member : response.members()) {
    const std::string heard = member.self()                  ? "this node"
                              : member.has_last_heard_time() ? ShowTime(member.last_heard_time())
                                                             : "never";
    line(Escape(member.node_id()), Escape(member.address()),
         ShortName(v1::Member::State_Name(member.state()), "STATE_"), heard);
  }
}

void PrintStatus(const v1::GetStatusResponse& status) {
  PrintLine("node", Escape(status.node_id()));
  PrintLine("cluster", Escape(status.cluster()));
  PrintLine("version", Escape(status.server_version()));
  PrintLine("ready", status.ready() ? "yes" : "no");
  PrintLine("converged", status.converged() ? "yes" : "no");
  PrintLine("keys", absl::StrCat(status.keys(), " of ", status.max_keys()));
  PrintLine("bytes", std::to_string(status.bytes()));
  PrintLine("memory",
            absl::StrCat(status.held_bytes() >> 20, " of ", status.max_bytes() >> 20, " MiB for the map; ",
                         status.memory_used() >> 20, " of ", status.memory_limit() >> 20, " MiB for the process"));
  PrintLine("connections",
            absl::StrCat(status.connections(), " of ", status.max_connections(), "; ", status.refused_connections(),
                         " refused, ", status.ended_connections(), " ended because they stalled"));
  std::string watches = absl::StrCat(status.watches(), " of ", status.max_watches());
  if (status.watches() > 0) {
    absl::StrAppend(&watches, "; most by ", Escape(status.busiest_peer()), ": ", status.busiest_watches());
  }
  PrintLine("watches", watches);
  PrintLine("disk", status.data_dir().empty() ? "none: the map is in memory alone"
                                              : absl::StrCat(Escape(status.data_dir()), DiskNote(status.disk_state())));
  PrintLine("members", std::to_string(status.members()));
  PrintLine("leasing",
            status.leasing() ? absl::StrCat("on, ", ShowDuration(status.lease_duration()), " by default") : "off");
  PrintLine("map hash", Escape(status.map_hash()));
  if (status.has_certificate_expire_time()) {
    PrintLine("certificate", absl::StrCat("expires at ", ShowTime(status.certificate_expire_time())));
  }
  for (const v1::PrincipalUse& use : status.principals()) PrintLine("principal", Describe(use));
  for (const v1::VectorEntry& covered : status.vector()) {
    std::string text = absl::StrCat(Escape(covered.node_id()), "/", covered.incarnation(), " to ", covered.prefix());
    if (covered.exceptions() > 0) absl::StrAppend(&text, " and ", covered.exceptions(), " ranges above");
    PrintLine("covers", text);
  }
  for (const v1::ClockOffset& offset : status.clock_offsets()) {
    PrintLine("clock offset", Escape(offset.node_id()) + " " + ShowDuration(offset.offset()));
  }
  for (const std::string& note : status.notes()) PrintLine("note", Escape(note));
}

}  // namespace leasemap::cli

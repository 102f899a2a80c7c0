// Moves and states in words, for the way to a violation.
#include "tests/sim/checkers/describe.h"

#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "tests/sim/explore/cluster.h"

namespace leasemap::explore {
namespace {

std::string Name(int node) { return std::string(1, static_cast<char>('A' + node)); }

std::string Words(const core::VersionVector& vector) {
  std::string text;
  for (const auto& [replica, coverage] : vector.runs()) {
    absl::StrAppend(&text, text.empty() ? "" : " ", replica.node, "/", replica.incarnation % 1'000'000'000, ":",
                    coverage.prefix);
    for (const auto& [first, last] : coverage.exceptions) absl::StrAppend(&text, "+", first, "-", last);
  }
  return absl::StrCat("{", text, "}");
}

std::string Words(const std::vector<core::EntryPtr>& entries) {
  std::string text;
  for (const auto& entry : entries) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", entry->key, entry->tombstone ? " deleted (" : " (",
                    entry->dot.replica.node, "#", entry->dot.seq, ")");
  }
  return text;
}

struct InWords {
  std::string operator()(const core::Hello&) const { return "Hello"; }
  std::string operator()(const core::Accept& accept) const { return "Accept, covers " + Words(*accept.report.vector); }
  std::string operator()(const core::Refuse& refuse) const { return "Refuse " + refuse.reason; }
  std::string operator()(const core::Ping&) const { return "Ping"; }
  std::string operator()(const core::Pong&) const { return "Pong"; }
  std::string operator()(const core::Report& report) const { return "Report, covers " + Words(*report.vector); }
  std::string operator()(const core::SessionRequest& request) const {
    return "SessionRequest " + std::to_string(request.session) + ", covers " + Words(*request.vector);
  }
  std::string operator()(const core::SessionEntries& entries) const {
    return "SessionEntries " + std::to_string(entries.session) + ": " + Words(entries.entries);
  }
  std::string operator()(const core::SessionEnd& end) const {
    return "SessionEnd " + std::to_string(end.session) + ", covers " + Words(*end.vector);
  }
  std::string operator()(const core::Live& live) const {
    return absl::StrCat("Live ", Words(live.entries), live.report_now ? ", report at once" : "");
  }
  template <typename T>
  std::string operator()(const T&) const {
    return "another message";
  }
};

}  // namespace

std::string Cluster::Describe(const State& state, const Move& move) const {
  const Channel c{move.a, move.b, move.c};
  const std::string a = Name(move.a), b = Name(move.b);
  switch (move.kind) {
    case Kind::kDeliver:
      if (state.Front(c) == kEnd) return absl::StrCat(b, " notices that its link with ", a, " has ended");
      return absl::StrCat(b, " gets from ", a, ": ", std::visit(InWords(), pool_.message(state.Front(c))));
    case Kind::kLose:
      return absl::StrCat("what ", a, " sent to ", b, " is lost; ", b, " notices that the link has ended");
    case Kind::kPull:
      return absl::StrCat(a, " sends its next bulk message to ", b);
    case Kind::kWrite: {
      const core::WriteCommand& command = pool_.menu()[move.b];
      return absl::StrCat(a, command.change == core::Change::kDelete ? " deletes " : " sets ", command.key);
    }
    case Kind::kStep:
      return "a second passes";
    case Kind::kIsolate:
      return absl::StrCat(a, " is cut off: its links end");
    case Kind::kCrash:
      return absl::StrCat(a, " crashes, and starts empty");
    case Kind::kDial:
      return absl::StrCat(a, " dials ", b);
  }
  return "";
}

std::string Cluster::Describe(const State& state) const {
  std::string text;
  for (int i = 0; i < kNodes; ++i) {
    const core::Node& node = pool_.node(state.node[i]);
    absl::StrAppend(&text, "  ", Name(i), ": covers ", Words(node.vector()), ", holds");
    for (const auto& [key, slot] : node.store().by_key()) absl::StrAppend(&text, " ", sim::Describe(*slot.entry), ";");
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace leasemap::explore

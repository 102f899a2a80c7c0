// See script_player.h. Here: nodes, links and time; script_calls.cc has what clients call.
#include "tests/core/script_player.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "peer/core/data/error.h"

namespace leasemap::core {
namespace {

// Longer times go in steps of half a second, so that hours take no time.
constexpr int64_t kFineMs = 60'000, kStepMs = 500, kTickMs = 10;
constexpr int64_t kRestartMs = 10;  // a process takes a moment to start; each has a start time of its own

}  // namespace

ScriptPlayer::ScriptPlayer() : text_(Mesh::kStart + mesh_.mono().ms()) { mesh_.DialThemselves(); }

const std::vector<ScriptPlayer::Definition>& ScriptPlayer::Definitions() {
  using P = ScriptPlayer;
  static const std::vector<Definition> definitions = {
      {"add NODE... [seeds=none] [clock=OFFSET] [leasing=off] [period=TIME] [batch=COUNT]", &P::Add},
      {"dial NODE NODE", &P::Dial},
      {"link NODE NODE...", &P::Link},
      {"cut NODE NODE...", &P::Cut},
      {"heal NODE NODE...", &P::Heal},
      {"deliver COUNT", &P::Deliver},
      {"settle", &P::Settle},
      {"tick TIME", &P::Tick},
      {"clock NODE OFFSET", &P::Clock},
      {"kill NODE", &P::Kill},
      {"leave NODE", &P::Leave},
      {"restart NODE [keep]", &P::Restart},
      {"reset NODE", &P::Reset},
      {"forget NODE OTHER", &P::Forget},
      {"set NODE KEY VALUE [holder=NAME] [lease=TIME] [ephemeral] [if_version=VERSION] [if_absent] "
       "[ack=local|majority|all|COUNT] [patience=TIME] [request_id=NAME]",
       &P::Write},
      {"delete NODE KEY [holder=NAME] [if_version=VERSION] [allow_missing] [ack=local|majority|all|COUNT] "
       "[patience=TIME] [request_id=NAME]",
       &P::Write},
      {"renew NODE KEY [holder=NAME] [lease=TIME] [only_if_held] [if_version=VERSION]", &P::Write},
      {"release NODE KEY [holder=NAME] [if_version=VERSION]", &P::Write},
      {"get NODE KEY [min_version=VERSION] [patience=TIME]", &P::Get},
      {"watch NAME NODE [snapshot] [prefix=PREFIX] [key=KEY] [kinds=set|deleted|expired|lost|lease,...] [cursor=NAME]",
       &P::StartWatch},
      {"read NAME [cursor=NAME]", &P::ReadWatch},
      {"resume NAME NODE CURSOR [cursor=NAME]", &P::Resume},
      {"show map [NODE...]", &P::ShowMap},
      {"show vector [NODE...]", &P::ShowVector},
      {"show lease NODE KEY", &P::ShowLease},
      {"show notes NODE", &P::ShowNotes},
      {"show members NODE", &P::ShowMembers},
      {"show conflicts NODE", &P::ShowConflicts},
  };
  return definitions;
}

std::vector<std::string> ScriptPlayer::Usages() {
  std::vector<std::string> usages;
  for (const Definition& one : Definitions()) usages.emplace_back(one.usage);
  return usages;
}

absl::StatusOr<std::vector<std::string>> ScriptPlayer::Play(const ScriptCommand& command) {
  const auto is_it = [&](const Definition& one) {
    const std::string usage = one.usage;
    return usage == command.name || absl::StartsWith(usage, command.name + " ");
  };
  const auto& all = Definitions();
  const auto found = std::find_if(all.begin(), all.end(), is_it);
  if (found == all.end()) return absl::InvalidArgumentError(command.name);
  out_.clear();
  failure_.clear();
  (this->*found->handler)(command);
  if (!failure_.empty()) return absl::InvalidArgumentError(failure_);
  LookAtTheMesh();
  TellWhatHappened();
  return std::move(out_);
}

void ScriptPlayer::Fail(const std::string& why) {
  if (failure_.empty()) failure_ = why;
}

int ScriptPlayer::NodeOf(const std::string& name) {
  const auto it = std::find(names_.begin(), names_.end(), name);
  if (it != names_.end()) return static_cast<int>(it - names_.begin());
  Fail(absl::StrCat("no node \"", name, "\"; there are: ", absl::StrJoin(names_, ", ")));
  return -1;
}

int ScriptPlayer::LivingNodeOf(const std::string& name) {
  const int node = NodeOf(name);
  if (node < 0 || !mesh_.peer(node).down) return node;
  Fail(absl::StrCat(name, " is down; restart it first"));
  return -1;
}

std::vector<int> ScriptPlayer::NodesOf(const std::vector<std::string>& names) {
  std::vector<int> nodes;
  for (const std::string& name : names) nodes.push_back(NodeOf(name));
  for (int i = 0; names.empty() && i < static_cast<int>(names_.size()); ++i) {
    if (!mesh_.peer(i).down) nodes.push_back(i);
  }
  return nodes;
}

std::vector<std::pair<int, int>> ScriptPlayer::PairsOf(const std::vector<std::string>& names) {
  const std::vector<int> nodes = NodesOf(names);
  std::vector<std::pair<int, int>> pairs;
  for (size_t i = 0; failure_.empty() && i < nodes.size(); ++i) {
    for (size_t j = i + 1; j < nodes.size(); ++j) {
      if (nodes[i] == nodes[j]) Fail(absl::StrCat(names[i], " twice"));
      pairs.emplace_back(nodes[i], nodes[j]);
    }
  }
  return failure_.empty() ? pairs : std::vector<std::pair<int, int>>();
}

// --- nodes

void ScriptPlayer::Add(const ScriptCommand& command) {
  std::vector<std::string> seeds;
  for (const auto& names : {names_, command.words}) {
    for (const std::string& name : names) seeds.push_back(name + ":1");
  }
  for (const std::string& name : command.words) {
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) return Fail(name + " is there already");
    NodeOptions options = Mesh::Options(name);
    if (!command.options.contains("seeds")) options.seeds = seeds;
    options.seeds.erase(std::remove(options.seeds.begin(), options.seeds.end(), name + ":1"), options.seeds.end());
    options.rules.leasing = !command.options.contains("leasing");
    if (const auto it = command.options.find("period"); it != command.options.end()) {
      options.rules.period_ms = *ParseTime(it->second);
    }
    if (const auto it = command.options.find("batch"); it != command.options.end()) {
      if (!absl::SimpleAtoi(it->second, &options.batch_entries) || options.batch_entries == 0) return Fail("batch");
    }
    const auto clock = command.options.find("clock");
    mesh_.Add(options, clock == command.options.end() ? 0 : *ParseOffset(clock->second));
    names_.push_back(name);
  }
}

// Its watches, and the calls that wait there, end with it.
void ScriptPlayer::EndProcess(int node) {
  mesh_.peer(node).answered.clear();
  seen_.erase(node);
  std::erase_if(waits_, [&](const auto& one) { return one.first.first == node; });
  std::erase_if(awaited_keys_, [&](const auto& one) { return one.first.first == node; });
  std::erase_if(watches_, [&](const auto& one) { return one.second.node == node; });
}

void ScriptPlayer::Kill(const ScriptCommand& command) {
  const int node = LivingNodeOf(command.words[0]);
  if (node < 0) return;
  images_[node] = mesh_[node].TakeImage();
  mesh_.Kill(node);
  EndProcess(node);
}

void ScriptPlayer::Leave(const ScriptCommand& command) {
  const int node = LivingNodeOf(command.words[0]);
  if (node < 0) return;
  mesh_[node].Leave(mesh_.now(node));
  mesh_.Settle();
  Kill(command);
}

void ScriptPlayer::Restart(const ScriptCommand& command) {
  const int node = NodeOf(command.words[0]);
  if (node < 0) return;
  const bool down = mesh_.peer(node).down;
  const Image image = down ? images_[node] : mesh_[node].TakeImage();
  EndProcess(node);
  mesh_.peer(node).down = false;
  mesh_.Skip(kRestartMs);
  mesh_.Restart(node, command.options.contains("keep") ? &image : nullptr);
  images_.erase(node);
}

void ScriptPlayer::Reset(const ScriptCommand& command) {
  const int node = LivingNodeOf(command.words[0]);
  if (node < 0) return;
  mesh_[node].Reset(mesh_.now(node), "the script says so");
  mesh_.Settle();
}

void ScriptPlayer::Forget(const ScriptCommand& command) {
  const int node = LivingNodeOf(command.words[0]);
  if (node < 0) return;
  const absl::Status status = mesh_[node].Forget(mesh_.now(node), command.words[1]);
  if (!status.ok()) Print(text_.OfError(status));
}

// --- links

bool ScriptPlayer::AreLinked(int a, int b) {
  const auto has = [&](int from, int to) {
    const auto members = mesh_[from].GetStatus().members;
    return std::any_of(members.begin(), members.end(),
                       [&](const Member& member) { return member.linked && member.id == mesh_[to].self(); });
  };
  return has(a, b) && has(b, a);
}

// The reason that stands in the first of the new lines of the log.
std::string ScriptPlayer::RefusalSince(int a, int b, size_t a_lines, size_t b_lines) {
  for (const auto& [node, from] : {std::pair{a, a_lines}, std::pair{b, b_lines}}) {
    const auto& log = mesh_.peer(node).log;
    for (size_t i = from; i < log.size(); ++i) {
      for (const std::string& word : std::vector<std::string>(absl::StrSplit(log[i], absl::ByAnyChar(" :")))) {
        const bool reason = absl::StrContains(word, '_') && std::all_of(word.begin(), word.end(), [](unsigned char c) {
                              return std::isupper(c) || c == '_';
                            });
        if (reason) return word;
      }
    }
  }
  return "";
}

void ScriptPlayer::Connect(int a, int b) {
  if (AreLinked(a, b)) return;
  const size_t a_lines = mesh_.peer(a).log.size(), b_lines = mesh_.peer(b).log.size();
  mesh_.Connect(a, b);
  if (AreLinked(a, b)) return;
  const std::string reason = RefusalSince(a, b, a_lines, b_lines);
  Print(absl::StrCat(names_[a], " and ", names_[b], " are not linked", reason.empty() ? "" : ": ", reason));
}

bool ScriptPlayer::CanMeet(int a, int b) {
  for (const int node : {a, b}) {
    if (mesh_.peer(node).down) Fail(names_[node] + " is down; restart it first");
  }
  if (cut_.contains(std::minmax(a, b))) Fail(absl::StrCat(names_[a], " and ", names_[b], " are cut off; heal them"));
  return failure_.empty();
}

void ScriptPlayer::Dial(const ScriptCommand& command) {
  for (const auto& [a, b] : PairsOf(command.words)) {
    if (CanMeet(a, b)) mesh_.Dial(a, b);
  }
}

void ScriptPlayer::Link(const ScriptCommand& command) {
  for (const auto& [a, b] : PairsOf(command.words)) {
    if (CanMeet(a, b)) Connect(a, b);
  }
}

void ScriptPlayer::Cut(const ScriptCommand& command) {
  for (const auto& [a, b] : PairsOf(command.words)) {
    cut_.insert(std::minmax(a, b));
    mesh_.Cut(a, b);
  }
}

void ScriptPlayer::Heal(const ScriptCommand& command) {
  for (const auto& [a, b] : PairsOf(command.words)) {
    if (cut_.erase(std::minmax(a, b)) == 0)
      return Fail(absl::StrCat(names_[a], " and ", names_[b], " are not cut off"));
    mesh_.Heal(a, b);
    if (!mesh_.peer(a).down && !mesh_.peer(b).down) Connect(a, b);
  }
}

// --- messages and time

void ScriptPlayer::Deliver(const ScriptCommand& command) {
  int count = 0;
  if (!absl::SimpleAtoi(command.words[0], &count)) return Fail("too many");
  mesh_.Settle(count);
}

void ScriptPlayer::Settle(const ScriptCommand&) { mesh_.Settle(); }

void ScriptPlayer::Tick(const ScriptCommand& command) {
  int64_t ms = *ParseTime(command.words[0]);
  for (; ms > kFineMs; ms -= kStepMs) {
    mesh_.Skip(kStepMs - kTickMs);
    mesh_.Advance(kTickMs);
  }
  mesh_.Advance(ms);
}

void ScriptPlayer::Clock(const ScriptCommand& command) {
  const int node = NodeOf(command.words[0]);
  if (node >= 0) mesh_.peer(node).offset_ms = *ParseOffset(command.words[1]);
}

// --- what happened

// Who is there, and what time it is.
void ScriptPlayer::LookAtTheMesh() {
  text_.SetNow(Mesh::kStart + mesh_.mono().ms());
  for (size_t i = 0; i < names_.size(); ++i) {
    if (!mesh_.peer(static_cast<int>(i)).down) text_.Meet(mesh_[static_cast<int>(i)].self());
  }
}

void ScriptPlayer::TellWhatHappened() {
  std::vector<std::pair<std::string, std::string>> news;  // what, and of which nodes
  const auto tell = [&](int node, const std::string& what) {
    for (auto& [told, nodes] : news) {
      if (told == what) return absl::StrAppend(&nodes, " ", names_[node]);
    }
    news.emplace_back(what, names_[node]);
  };
  for (int i = 0; i < static_cast<int>(names_.size()); ++i) {
    if (mesh_.peer(i).down) continue;
    const Node& node = mesh_[i];
    Seen& seen = seen_[i];
    TellAnswers(i);
    if (node.retirement().resets() != seen.resets) tell(i, "starts again, its map put aside");
    if (node.clock_trusted() != seen.clock_trusted) {
      tell(i, node.clock_trusted() ? "its clock is trusted again" : "its clock is not trusted");
    }
    if (node.ready() != seen.ready) tell(i, node.ready() ? "ready" : "not ready");
    seen = {node.ready(), node.clock_trusted(), node.retirement().resets()};
  }
  for (const auto& [what, nodes] : news) Print(absl::StrCat(nodes, ": ", what));
}

void ScriptPlayer::TellAnswers(int node) {
  auto& answered = mesh_.peer(node).answered;
  for (const auto& [wait, answer] : answered) {
    const auto label = waits_.find({node, wait});
    if (label == waits_.end()) continue;
    const auto key = awaited_keys_.find({node, wait});
    if (key != awaited_keys_.end() && answer.status.ok()) {
      PrintGet(node, key->second, label->second + ": ");
    } else {
      Print(absl::StrCat(label->second, ": ", answer.status.ok() ? "acked" : text_.OfError(answer.status)));
    }
    waits_.erase(label);
    awaited_keys_.erase({node, wait});
  }
  answered.clear();
}

void ScriptPlayer::PrintGroups(const std::vector<int>& nodes, const std::vector<std::vector<std::string>>& lines) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (std::find(lines.begin(), lines.begin() + i, lines[i]) != lines.begin() + i) continue;
    std::string names;
    for (size_t j = i; j < nodes.size(); ++j) {
      if (lines[j] == lines[i]) absl::StrAppend(&names, names.empty() ? "" : " ", names_[nodes[j]]);
    }
    if (lines[i].size() == 1) {
      Print(absl::StrCat(names, ": ", lines[i][0]));
      continue;
    }
    Print(names + ":");
    for (const std::string& line : lines[i]) Print("  " + line);
  }
}

}  // namespace leasemap::core

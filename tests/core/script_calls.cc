// What clients call in the scripts of testdata, and what is shown of a node. See script_player.h.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "peer/core/data/error.h"
#include "tests/core/script_player.h"

namespace leasemap::core {
namespace {

const std::string* Option(const ScriptCommand& command, const std::string& name) {
  const auto it = command.options.find(name);
  return it == command.options.end() ? nullptr : &it->second;
}

EventKind KindOf(const std::string& name) {
  if (name == "set") return EventKind::kSet;
  if (name == "deleted") return EventKind::kDeleted;
  if (name == "expired") return EventKind::kExpired;
  return name == "lost" ? EventKind::kLost : EventKind::kLease;
}

Ack AckOf(const std::string& level) {
  if (level == "local") return {};
  if (level == "majority") return {Ack::Level::kMajority, 0};
  if (level == "all") return {Ack::Level::kAll, 0};
  Ack ack{Ack::Level::kNodes, 0};
  return absl::SimpleAtoi(level, &ack.nodes) ? ack : Ack{Ack::Level::kNodes, 0};
}

}  // namespace

bool ScriptPlayer::IsServed(int node) {
  if (mesh_[node].ready()) return true;
  Print("SYNCING");
  return false;
}

std::string ScriptPlayer::VersionOfName(const std::string& name) {
  if (const auto dot = text_.DotOf(name)) return VersionOf(*dot);
  Fail(absl::StrCat("no version \"", name, "\"; one is the node's name and the number of its write, as in a#1"));
  return "";
}

void ScriptPlayer::Write(const ScriptCommand& command) {
  const int node = LivingNodeOf(command.words[0]);
  if (node < 0 || !IsServed(node)) return;
  WriteCommand write = mesh_.Command(node, command.words[1], command.name == "set" ? command.words[2] : "");
  write.change = command.name == "set"      ? Change::kSet
                 : command.name == "delete" ? Change::kDelete
                 : command.name == "renew"  ? Change::kRenew
                                            : Change::kRelease;
  if (const auto* holder = Option(command, "holder")) write.holder = *holder;
  if (const auto* lease = Option(command, "lease")) write.duration_ms = ParseTime(*lease);
  if (const auto* version = Option(command, "if_version")) write.if_version = VersionOfName(*version);
  if (const auto* level = Option(command, "ack")) write.ack = AckOf(*level);
  if (const auto* patience = Option(command, "patience")) write.patience_ms = *ParseTime(*patience);
  if (const auto* id = Option(command, "request_id")) write.request_id = *id;
  write.if_absent = Option(command, "if_absent") != nullptr;
  write.allow_missing = Option(command, "allow_missing") != nullptr;
  write.only_if_held = Option(command, "only_if_held") != nullptr;
  write.ephemeral = Option(command, "ephemeral") != nullptr;
  if (!failure_.empty()) return;
  const auto submitted = mesh_.Submit(node, write);
  if (!submitted.ok()) return Print(text_.OfError(submitted.status()));
  if (submitted->entry == nullptr) return Print("nothing to change");
  Print(text_.OfAnswer(*submitted->entry) + (submitted->wait == 0 ? "" : "; waits for acks"));
  if (submitted->wait != 0) waits_[{node, submitted->wait}] = text_.OfDot(submitted->entry->dot);
}

void ScriptPlayer::Get(const ScriptCommand& command) {
  const int node = LivingNodeOf(command.words[0]);
  if (node < 0 || !IsServed(node)) return;
  const std::string& key = command.words[1];
  WaitId wait = 0;
  if (const auto* version = Option(command, "min_version")) {
    const auto* patience = Option(command, "patience");
    const std::string awaited = VersionOfName(*version);
    if (!failure_.empty()) return;
    const auto begun = mesh_[node].AwaitVersion(mesh_.now(node), awaited, patience ? *ParseTime(*patience) : kWaitMs);
    if (!begun.ok()) return Print(text_.OfError(begun.status()));
    wait = *begun;
  }
  if (wait == 0) return PrintGet(node, key, "");
  Print("waits");
  waits_[{node, wait}] = absl::StrCat("get ", names_[node], " ", key);
  awaited_keys_[{node, wait}] = key;
}

void ScriptPlayer::PrintGet(int node, const std::string& key, const std::string& prefix) {
  const EntryPtr entry = mesh_[node].Get(mesh_.now(node), key);
  Print(prefix + (entry == nullptr ? "KEY_NOT_FOUND" : text_.OfEntry(*entry)));
}

// --- watches

void ScriptPlayer::StartWatch(const ScriptCommand& command) {
  const int node = LivingNodeOf(command.words[1]);
  if (node < 0 || !IsServed(node)) return;
  WatchFilter filter;
  if (const auto* prefix = Option(command, "prefix")) filter.prefixes.insert(*prefix);
  if (const auto* key = Option(command, "key")) filter.keys.insert(*key);
  if (const auto* kinds = Option(command, "kinds")) {
    for (const auto& kind : absl::StrSplit(*kinds, ',')) filter.kinds.insert(KindOf(std::string(kind)));
  }
  auto watch = mesh_[node].StartWatch(mesh_.now(node), filter, Option(command, "snapshot") != nullptr, "");
  if (!watch.ok()) return Print(text_.OfError(watch.status()));
  watches_[command.words[0]] = {node, filter, *std::move(watch), ""};
  const auto* keep_as = Option(command, "cursor");
  Read(command.words[0], keep_as ? *keep_as : "");
}

void ScriptPlayer::ReadWatch(const ScriptCommand& command) {
  const auto* keep_as = Option(command, "cursor");
  Read(command.words[0], keep_as ? *keep_as : "");
}

void ScriptPlayer::Resume(const ScriptCommand& command) {
  const int node = LivingNodeOf(command.words[1]);
  if (node < 0 || !IsServed(node)) return;
  const auto kept = cursors_.find(command.words[2]);
  if (kept == cursors_.end()) return Fail(absl::StrCat("no cursor \"", command.words[2], "\" was kept"));
  auto watch = mesh_[node].StartWatch(mesh_.now(node), kept->second.filter, false, kept->second.cursor);
  if (!watch.ok()) return Print(text_.OfError(watch.status()));
  watches_[command.words[0]] = {node, kept->second.filter, *std::move(watch), ""};
  const auto* keep_as = Option(command, "cursor");
  Read(command.words[0], keep_as ? *keep_as : "");
}

void ScriptPlayer::Read(const std::string& name, const std::string& keep_as) {
  const auto it = watches_.find(name);
  if (it == watches_.end()) return Fail(absl::StrCat("no watch \"", name, "\" is open"));
  Open& open = it->second;
  if (mesh_.peer(open.node).down) return Fail(absl::StrCat("its node ", names_[open.node], " is down; resume it"));
  const size_t before = out_.size();
  for (bool more = true; more;) {
    const auto batch = mesh_[open.node].ReadWatch(mesh_.now(open.node), open.watch);
    if (!batch.ok()) {
      watches_.erase(it);
      return Print(text_.OfError(batch.status()));
    }
    for (const WatchEvent& event : batch->events) Print(text_.OfEvent(event));
    if (batch->snapshot_end) Print("snapshot end");
    if (!batch->cursor.empty()) open.cursor = batch->cursor;
    more = batch->more;
  }
  if (out_.size() == before) Print(open.watch.phase == Watch::Phase::kWaiting ? "waits" : "no event");
  if (keep_as.empty()) return;
  if (open.cursor.empty()) return Fail("no cursor has come yet; one comes with the first message, then once a second");
  cursors_[keep_as] = {open.filter, open.cursor};
}

// --- what is shown

void ScriptPlayer::ShowMap(const ScriptCommand& command) {
  const std::vector<int> nodes = NodesOf(command.words);
  if (!failure_.empty()) return;
  std::vector<std::vector<std::string>> maps;
  for (const int node : nodes) {
    std::vector<std::string>& lines = maps.emplace_back();
    for (const auto& [key, slot] : mesh_[node].shown().store.by_key()) lines.push_back(text_.OfSlot(slot));
    if (lines.empty()) lines.emplace_back("(empty)");
  }
  PrintGroups(nodes, maps);
}

void ScriptPlayer::ShowVector(const ScriptCommand& command) {
  const std::vector<int> nodes = NodesOf(command.words);
  if (!failure_.empty()) return;
  std::vector<std::vector<std::string>> vectors;
  for (const int node : nodes) vectors.push_back({text_.OfVector(mesh_[node].vector())});
  PrintGroups(nodes, vectors);
}

void ScriptPlayer::ShowLease(const ScriptCommand& command) {
  const int node = LivingNodeOf(command.words[0]);
  if (node < 0) return;
  const EntryPtr* entry = mesh_[node].shown().store.Find(command.words[1]);
  if (entry == nullptr) return Print("no such key");
  const LeaseRules& rules = mesh_[node].options().rules;
  Print(text_.OfLease(**entry, rules.leasing ? rules.period_ms : 1));
}

void ScriptPlayer::ShowNotes(const ScriptCommand& command) {
  const int node = LivingNodeOf(command.words[0]);
  if (node < 0) return;
  const auto notes = mesh_[node].GetStatus().notes;
  for (const std::string& note : notes) Print(note);
  if (notes.empty()) Print("none");
}

void ScriptPlayer::ShowMembers(const ScriptCommand& command) {
  const int node = LivingNodeOf(command.words[0]);
  if (node < 0) return;
  const NodeStatus status = mesh_[node].GetStatus();
  Print(absl::StrCat(status.remembered, " remembered, with ", names_[node]));
  for (const Member& member : status.members) {
    Print(absl::StrCat("  ", member.id.node, member.gone() ? ": gone" : member.linked ? ": linked" : ": not linked"));
  }
}

void ScriptPlayer::ShowConflicts(const ScriptCommand& command) {
  const int node = LivingNodeOf(command.words[0]);
  if (node < 0) return;
  const Conflicts& conflicts = mesh_[node].replica().conflicts();
  for (uint64_t n = conflicts.first(); n < conflicts.end(); ++n) {
    Print(text_.OfLoss(*conflicts.at(n).loser, *conflicts.at(n).winner));
  }
  if (conflicts.first() == conflicts.end()) Print("none");
}

}  // namespace leasemap::core

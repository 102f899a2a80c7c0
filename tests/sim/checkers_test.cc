// A checker that can't fail checks nothing: each is fed a violation, and a run of right things before it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "peer/core/data/limits.h"
#include "tests/core/mesh.h"
#include "tests/matchers/status.h"
#include "tests/sim/checkers/bounds.h"
#include "tests/sim/checkers/converged.h"
#include "tests/sim/checkers/coverage.h"
#include "tests/sim/checkers/dots_unique.h"
#include "tests/sim/checkers/ranks_never_fall.h"
#include "tests/sim/checkers/step_checks.h"
#include "tests/sim/checkers/watchers.h"

namespace leasemap::sim {
namespace {

using testing::HasSubstr;

core::EntryPtr Make(const std::string& key, uint64_t seq, uint64_t epoch, const std::string& node = "a") {
  auto entry = std::make_shared<core::Entry>();
  entry->key = key;
  entry->value = std::to_string(seq);
  entry->dot = {{node, 1}, seq};
  entry->lease.holder = node;
  entry->lease.epoch = epoch;
  entry->stamp = epoch;
  return entry;
}

std::string Ranks(RanksNeverFall& checker, uint64_t process, const core::Store& store) {
  RanksNeverFall::Seen seen;
  return checker.Look(process, store, &seen);
}

TEST(Checkers, RanksThatFall) {
  RanksNeverFall checker;
  core::Store store, lower, other;
  store.Merge(Make("k", 2, 5));
  EXPECT_EQ(Ranks(checker, 1, store), "");
  store.Merge(Make("k", 3, 6));
  EXPECT_EQ(Ranks(checker, 1, store), "");
  for (uint64_t seq = 1; seq < 5; ++seq) lower.Merge(Make("k", seq, seq));
  EXPECT_THAT(Ranks(checker, 1, lower), HasSubstr("the rank fell"));
  EXPECT_EQ(Ranks(checker, 2, lower), "");
  EXPECT_THAT(Ranks(checker, 2, other), HasSubstr("gone"));
}

core::EntryPtr Ephemeral(const std::string& key, uint64_t seq, int64_t expire_ms) {
  auto entry = std::make_shared<core::Entry>(*Make(key, seq, seq));
  entry->ephemeral = true;
  entry->lease.expire_ms = expire_ms;
  return entry;
}

// With the horizon, and not once they were collected.
TEST(Checkers, LapsesThatComeBack) {
  RanksNeverFall checker;
  const auto entry = Ephemeral("k", 1, 10);
  core::Store store;
  store.Merge(entry);
  EXPECT_EQ(Ranks(checker, 1, store), "");
  store.Lapse(10);
  EXPECT_EQ(Ranks(checker, 1, store), "");
  ASSERT_EQ(store.Rewind(5), 1u);
  EXPECT_EQ(Ranks(checker, 1, store), "");
  store.Lapse(10);
  EXPECT_EQ(Ranks(checker, 1, store), "");
  store.Collect("k");
  EXPECT_EQ(Ranks(checker, 1, store), "");
  store.Merge(entry);
  EXPECT_THAT(Ranks(checker, 1, store), HasSubstr("what was deleted and collected came back"));
}

const core::VersionVector kNoFloor;
Replica Of(const core::Store& store, const core::VersionVector& vector, const core::VersionVector& floor = kNoFloor) {
  return {"x", &store, &vector, &floor};
}
Replica Named(const char* name, const core::Store& store, const core::VersionVector& vector) {
  return {name, &store, &vector, &kNoFloor};
}

TEST(Checkers, CoveredAndNotHeld) {
  const core::VersionVector none;
  CoverageChecker checker;
  WriteLog log;
  core::Store store;
  core::VersionVector vector;
  const auto first = Make("k", 1, 1), second = Make("k", 2, 2), other = Make("other", 3, 3);
  for (const auto& entry : {first, second, other}) log.Add(entry);
  store.Merge(first);
  vector.Add(first->dot);
  EXPECT_EQ(checker.Look(1, Of(store, vector), log), "");
  auto claims_more = vector;
  claims_more.Add(second->dot);
  EXPECT_THAT(checker.Look(1, Of(store, claims_more), log), HasSubstr("covers k=2"));
  EXPECT_THAT(CoverageChecker::Whole(Of(store, claims_more), log), HasSubstr("covers k=2"));
  auto misses = vector;
  misses.Add(other->dot);
  EXPECT_THAT(CoverageChecker::Whole(Of(store, misses), log), HasSubstr("does not hold"));
  auto invents = vector;
  invents.Add({{"a", 1}, 9});
  EXPECT_THAT(CoverageChecker::Whole(Of(store, invents), log), HasSubstr("never made"));
  EXPECT_EQ(checker.Look(2, Of(store, vector), log), "");
  EXPECT_THAT(checker.Look(2, Of(store, none), log), HasSubstr("no longer covers"));
}

TEST(Checkers, DotsMadeTwice) {
  DotsUnique checker;
  WriteLog log;
  EXPECT_EQ(checker.Wrote(1, Make("k", 1, 1), nullptr, log), "");
  EXPECT_THAT(checker.Wrote(1, Make("k", 1, 2), nullptr, log), HasSubstr("seq 2 was due"));
  EXPECT_THAT(checker.Wrote(1, Make("k", 3, 2), nullptr, log), HasSubstr("seq 2 was due"));
  EXPECT_THAT(checker.Wrote(2, Make("k", 2, 2), nullptr, log), HasSubstr("two processes"));
  EXPECT_THAT(checker.Wrote(1, Make("k", 2, 2), Make("k", 1, 3), log), HasSubstr("does not outrank"));
  EXPECT_EQ(checker.Wrote(1, Make("k", 2, 2), Make("k", 1, 1), log), "");
}

TEST(Checkers, MapsThatDiffer) {
  WriteLog log;
  const auto low = Make("k", 1, 1), high = Make("k", 2, 2);
  log.Add(low);
  log.Add(high);
  core::Store right, wrong, empty;
  right.Merge(high);
  wrong.Merge(low);
  core::VersionVector both, one, none;
  one.Add(low->dot);
  both.Add(low->dot);
  both.Add(high->dot);
  EXPECT_EQ(CheckConverged({Named("x", right, both), Named("y", right, both)}, log), "");
  EXPECT_EQ(CheckConverged({Named("x", wrong, one)}, log), "");  // the other did not survive
  EXPECT_THAT(CheckConverged({Named("x", right, both), Named("y", wrong, one)}, log), HasSubstr("lacks"));
  EXPECT_THAT(CheckConverged({Named("x", right, both), Named("y", wrong, both)}, log), HasSubstr("against"));
  EXPECT_THAT(CheckConverged({Named("x", wrong, both)}, log), HasSubstr("the winner is"));
  EXPECT_THAT(CheckConverged({Named("x", empty, both)}, log), HasSubstr("lost is"));
  EXPECT_THAT(CheckConverged({Named("x", right, none)}, log), HasSubstr("nobody covers"));
  EXPECT_THAT(CheckConverged({}, log), HasSubstr("no node"));
  core::Store early, late;
  WriteLog short_log;
  short_log.Add(Ephemeral("k", 1, 10));
  for (core::Store* store : {&early, &late}) store->Merge(Ephemeral("k", 1, 10));
  EXPECT_EQ(CheckConverged({Named("x", early, one), Named("y", late, one)}, short_log), "");
  late.Lapse(10);
  EXPECT_THAT(CheckConverged({Named("x", early, one), Named("y", late, one)}, short_log), HasSubstr("lapsed"));
}

core::WatchBatch Batch(const core::EntryPtr& entry, const std::string& cursor = "",
                       core::EventKind kind = core::EventKind::kSet) {
  core::WatchBatch batch;
  batch.events.push_back({kind, entry});
  batch.cursor = cursor;
  return batch;
}

TEST(Checkers, WatchersThatMissOrHearTwice) {
  const core::WatchFilter all;
  core::Store store;
  store.Merge(Make("k", 1, 1));
  store.Merge(Make("k", 2, 2));
  Fold fold;
  EXPECT_EQ(fold.Take(Batch(Make("k", 1, 1)), all, store), "");
  EXPECT_THAT(Fold(fold).Take(Batch(Make("k", 1, 1)), all, store), HasSubstr("came twice"));
  EXPECT_THAT(Fold(fold).Take(Batch(Make("k", 3, 0)), all, store), HasSubstr("the rank fell"));
  EXPECT_EQ(fold.Take(Batch(Make("k", 2, 2), "cursor"), all, store), "");
  core::WatchBatch empty;
  empty.cursor = "next";
  store.Merge(Make("other", 3, 3));
  EXPECT_THAT(Fold(fold).Take(empty, all, store), HasSubstr("never heard"));
  EXPECT_THAT(fold.Compare(all, core::Store()), HasSubstr("still has"));
  // What came after the last cursor is dropped at a move, and may come again.
  EXPECT_EQ(fold.Take(Batch(Make("other", 3, 3)), all, store), "");
  fold.Drop();
  EXPECT_EQ(fold.Take(Batch(Make("other", 3, 3), "more"), all, store), "");
  auto early = Batch(Make("k", 4, 4), "early");
  early.more = true;
  EXPECT_THAT(fold.Take(early, all, store), HasSubstr("before the head"));
}

TEST(Checkers, WatchersThatMissALapseOrHearItTwice) {
  const core::WatchFilter all;
  const auto kLapsed = core::EventKind::kExpired;
  const auto entry = Ephemeral("k", 1, 10), kept = Make("kept", 2, 2);
  core::Store store;
  store.Merge(entry);
  Fold fold;
  EXPECT_EQ(fold.Take(Batch(entry, "one"), all, store), "");
  EXPECT_THAT(Fold(fold).Take(Batch(entry, "two", kLapsed), all, store), HasSubstr("heard the end"));
  store.Lapse(10);
  core::WatchBatch silent;
  silent.cursor = "silent";
  EXPECT_THAT(Fold(fold).Take(silent, all, store), HasSubstr("still has"));
  EXPECT_EQ(fold.Take(Batch(entry, "two", kLapsed), all, store), "");
  EXPECT_THAT(Fold(fold).Take(Batch(entry, "", kLapsed), all, store), HasSubstr("came twice"));
  EXPECT_THAT(Fold(fold).Take(Batch(entry), all, store), HasSubstr("came twice"));
  EXPECT_THAT(Fold(fold).Take(Batch(kept, "", kLapsed), all, store), HasSubstr("wrong kind"));
}

TEST(Checkers, NodesThatHoldTooMuch) {
  EXPECT_EQ(CheckHeld({}), "");
  const std::vector<std::pair<size_t core::Usage::*, size_t>> bounds = {
      {&core::Usage::own_log, core::kOwnLogEntries},  {&core::Usage::requests, core::kMaxRequests},
      {&core::Usage::waits, core::kMaxWaits},         {&core::Usage::explains, core::kMaxExplains},
      {&core::Usage::conflicts, core::kMaxConflicts}, {&core::Usage::refusals, core::kMaxLoggedRefusals},
      {&core::Usage::links, core::kMaxLinks},         {&core::Usage::members, core::kMaxMembers},
      {&core::Usage::targets, core::kMaxTargets},     {&core::Usage::quarantined, core::kMaxMembers},
      {&core::Usage::rates, core::kMaxMembers + 1},   {&core::Usage::folded, core::kMaxFolded},
  };
  for (const auto& [held, most] : bounds) {
    core::Usage usage;
    usage.*held = most;
    EXPECT_EQ(CheckHeld(usage), "");
    usage.*held = most + 1;
    EXPECT_THAT(CheckHeld(usage), HasSubstr("more than " + std::to_string(most)));
  }
  // One entry may be as large as it is.
  core::Usage large;
  large.own_log = large.conflicts = 1;
  large.own_log_bytes = large.conflict_bytes = core::kOwnLogBytes + 1;
  EXPECT_EQ(CheckHeld(large), "");
  large.own_log = 2;
  EXPECT_THAT(CheckHeld(large), HasSubstr("bytes in the own log"));
}

TEST(Checkers, MessagesThatAreTooLarge) {
  core::Live live;
  live.entries.assign(core::kBatchBytes / core::Weight(*Make("k", 1, 1)), Make("k", 1, 1));
  EXPECT_EQ(CheckSize(core::Message(live)), "");
  live.entries.assign(core::kBatchEntries + 1, Make("k", 1, 1));
  EXPECT_THAT(CheckSize(core::Message(live)), HasSubstr("entries in a message"));
  EXPECT_THAT(CheckSize(core::Message(core::SessionEntries{1, live.entries})), HasSubstr("entries in a message"));
  auto large = std::make_shared<core::Entry>(*Make("k", 1, 1));
  large->value = std::string(core::kBatchBytes, 'v');
  EXPECT_EQ(CheckSize(core::Message(core::Live{{large}})), "");
  EXPECT_THAT(CheckSize(core::Message(core::Live{{large, large}})), HasSubstr("bytes of entries"));
  core::VersionVector vector;
  for (uint64_t n = 1; n <= core::kReportExceptions; ++n) vector.Add({{"a", 1}, 2 * n + 1});
  core::Accept accept;
  accept.report.vector = std::make_shared<const core::VersionVector>(vector);
  EXPECT_EQ(CheckSize(core::Message(accept)), "");
  vector.Add({{"a", 1}, 5 * core::kReportExceptions});
  accept.report.vector = std::make_shared<const core::VersionVector>(vector);
  EXPECT_THAT(CheckSize(core::Message(accept)), HasSubstr("exceptions in a report"));
  EXPECT_THAT(CheckSize(core::Message(accept.report)), HasSubstr("exceptions in a report"));
  EXPECT_THAT(CheckSize(core::Message(core::Broadcast{std::string(core::kMaxBroadcastBytes + 1, 'x')})),
              HasSubstr("bytes in a broadcast"));
}

TEST(Checkers, BatchesOfAWatchThatAreTooLarge) {
  core::WatchBatch batch;
  batch.events.assign(core::kWatchBatchEvents, {core::EventKind::kSet, Make("k", 1, 1)});
  EXPECT_EQ(CheckSize(batch), "");
  batch.events.push_back(batch.events.front());
  EXPECT_THAT(CheckSize(batch), HasSubstr("events in a batch"));
  batch.events.clear();
  batch.cursor.assign(core::kMaxCursorBytes + 1, 'c');
  EXPECT_THAT(CheckSize(batch), HasSubstr("bytes in a cursor"));
}

// The map shows the last of them alone (seed 1019 of faults with four nodes: two repeats of one key).
TEST(Checkers, WritesOfOneKeyInOneStepAreAllNoted) {
  core::Mesh mesh;
  const int a = mesh.Add("a");
  mesh.Advance(20'000);
  StepChecks checks(
      mesh[a].options().rules, [&](const std::string&) { return mesh.now(a).wall_ms; },
      [&](const core::ReplicaId&) { return &mesh[a].vector(); });
  EXPECT_EQ(checks.Look(1, mesh[a], INT64_MAX).what, "");
  for (const char* value : {"1", "2", "3"}) {
    core::WriteCommand command;
    command.key = command.holder = "k";
    command.value = value;
    ASSERT_THAT(mesh[a].Write(mesh.now(a), command), IsOk());
  }
  EXPECT_EQ(checks.Look(1, mesh[a], INT64_MAX).what, "");
  EXPECT_EQ(checks.log().Count(mesh[a].self()), 3u);
}

}  // namespace
}  // namespace leasemap::sim

// The near cache, without a server or a clock.
#include "clients/cpp/core/near_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/clients/cpp/made.h"

namespace leasemap::internal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr Moment kStart = absl::Seconds(10);

// What readers see.
class Copy final : public ShownMap {
 public:
  void Show(const std::string& key, EntryPtr entry) override {
    if (entry) {
      entries_[key] = std::move(entry);
    } else {
      entries_.erase(key);
    }
  }
  void ShowAll(EntryMap entries) override { entries_ = {entries.begin(), entries.end()}; }
  EntryPtr Shown(const std::string& key) const override {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : found->second;
  }
  std::string Text() const {
    std::string text;
    for (const auto& [key, entry] : entries_) text += (text.empty() ? "" : " ") + key + "=" + entry->value;
    return text;
  }

 private:
  std::map<std::string, EntryPtr> entries_;
};

std::vector<std::string> Told(const std::vector<Change>& changes) {
  std::vector<std::string> told;
  for (const Change& change : changes) told.push_back(std::string(KindName(change.kind)) + " " + change.key);
  return told;
}

class NearCacheTest : public testing::Test {
 protected:
  // A cache whose synced watch brought these events.
  void Begin(const std::vector<v1::Event>& events = {}) {
    cache_.Request();
    EXPECT_THAT(Told(cache_.Take(Message("c1", true, events), kStart)), IsEmpty()) << "the start is not told";
  }
  std::vector<std::string> Watch(const std::vector<v1::Event>& events) {
    return Told(cache_.Take(Message("", false, events), kStart));
  }
  // The watch breaks, and the next stream begins.
  void Break(bool cursor_is_good = true) {
    cache_.Broke();
    if (!cursor_is_good) cache_.ForgetCursor();
    cache_.Request();
  }
  // A write of this program was answered.
  void Mine(const std::string& key, const std::string& value, Made made = {},
            const std::vector<std::string>& before = {}) {
    if (made.holder == "other") made.holder = "me";
    cache_.Wrote(EntryOf(key, value, made), kStart, before);
  }

  Copy shown_;
  NearCache cache_{"me", "", shown_};
};

Made Later(int by, const std::string& holder = "other") {
  return {.holder = holder, .version = "v" + std::to_string(by + 1), .written = kT0 + by};
}

TEST_F(NearCacheTest, ASnapshotIsSeenWholeOrNotAtAll) {
  EXPECT_TRUE(cache_.Request().include_snapshot());
  Watch({SetEvent("a", "1")});
  EXPECT_EQ(shown_.Text(), "");
  EXPECT_FALSE(cache_.synced());
  EXPECT_THAT(Told(cache_.Take(Message("c1", true, {SetEvent("b", "2")}), kStart)), IsEmpty());
  EXPECT_EQ(shown_.Text(), "a=1 b=2");
  EXPECT_TRUE(cache_.synced());
}

TEST_F(NearCacheTest, EventsChangeTheCopyAndAreTold) {
  Begin({SetEvent("a", "1"), SetEvent("gone", "1"), SetEvent("brief", "1")});
  EXPECT_THAT(Watch({SetEvent("a", "2", Later(1)), DeletedEvent("gone", Later(1)), ExpiredEvent("brief", "1")}),
              ElementsAre("set a", "deleted gone", "expired brief"));
  EXPECT_EQ(shown_.Text(), "a=2");
  EXPECT_THAT(Watch({ExpiredEvent("brief", "1"), DeletedEvent("never-seen")}), IsEmpty()) << "a lapse is told once";
}

TEST_F(NearCacheTest, AResumedStreamTellsNothingTwice) {
  Begin({SetEvent("a", "1")});
  const std::vector<v1::Event> events = {SetEvent("a", "2", Later(1)), DeletedEvent("a", Later(2))};
  EXPECT_THAT(Watch(events), ElementsAre("set a", "deleted a"));
  cache_.Broke();
  EXPECT_FALSE(cache_.synced());
  const v1::WatchRequest request = cache_.Request();
  EXPECT_EQ(request.cursor(), "c1");
  EXPECT_FALSE(request.include_snapshot());
  EXPECT_THAT(Watch(events), IsEmpty());
  EXPECT_EQ(shown_.Text(), "");
  cache_.Take(Message("c2", false), kStart);
  EXPECT_EQ(cache_.Request().cursor(), "c2");
}

TEST_F(NearCacheTest, WhatOnlyADeadNodeHadIsTakenBack) {
  Begin({SetEvent("a", "1"), SetEvent("b", "1"), SetEvent("d", "1"), SetEvent("e", "1")});
  const Made ghost = Later(8);
  Watch({SetEvent("a", "9", ghost), SetEvent("b", "9", ghost), SetEvent("c", "9", ghost), DeletedEvent("d", ghost),
         SetEvent("e", "9", ghost)});
  Break();
  EXPECT_THAT(Watch({SetEvent("a", "2", Later(1)), SetEvent("e", "9", ghost)}), IsEmpty())
      << "whether the rest is on its way is not known yet";
  EXPECT_EQ(shown_.Text(), "a=9 b=9 c=9 e=9");
  EXPECT_THAT(Told(cache_.Take(Message("c2", false), kStart)),
              UnorderedElementsAre("deleted c", "set a", "set b", "set d"));
  EXPECT_EQ(shown_.Text(), "a=2 b=1 d=1 e=9");
  EXPECT_THAT(Watch({SetEvent("b", "9", ghost)}), ElementsAre("set b")) << "it was on its way after all";
}

TEST_F(NearCacheTest, ALapseThatTheNextNodeDoesNotSeeIsTakenBack) {
  Begin({SetEvent("a", "1")});
  Watch({ExpiredEvent("a", "1")});
  Break();
  EXPECT_THAT(Watch({SetEvent("a", "1")}), IsEmpty()) << "its lapse may be about to come";
  EXPECT_THAT(Told(cache_.Take(Message("c2", false), kStart)), ElementsAre("set a"));
  EXPECT_EQ(shown_.Text(), "a=1") << "it lives there: its lease may be renewed without an event";
}

TEST_F(NearCacheTest, ASecondBreakBeforeTheCursorLosesNothing) {
  Begin({SetEvent("a", "1")});
  Watch({SetEvent("a", "9", Later(8))});
  Break();
  Break();
  EXPECT_EQ(cache_.Request().cursor(), "c1");
  EXPECT_THAT(Told(cache_.Take(Message("c2", false), kStart)), ElementsAre("set a"));
  EXPECT_EQ(shown_.Text(), "a=1");
}

TEST_F(NearCacheTest, AStreamsOwnOrderIsTheCopysOrder) {
  Begin();
  Watch({SetEvent("a", "2", Later(1)), SetEvent("a", "1")});
  EXPECT_EQ(shown_.Text(), "a=1");
}

TEST_F(NearCacheTest, ASnapshotAfterALostCursorIsTheTruth) {
  Begin({SetEvent("stays", "1"), SetEvent("gone", "1"), SetEvent("back", "new", Later(8))});
  Break(false);
  Watch({SetEvent("stays", "1")});
  EXPECT_EQ(shown_.Text(), "back=new gone=1 stays=1") << "readers keep the old map until the new one is whole";
  // The write v9 died with its node: the older one that the others have remains.
  EXPECT_THAT(Told(cache_.Take(Message("c2", true, {SetEvent("back", "old", {.version = "v8"})}), kStart)),
              ElementsAre("deleted gone", "set back"));
  EXPECT_EQ(shown_.Text(), "back=old stays=1");
}

TEST_F(NearCacheTest, ABrokenSnapshotLeavesNothing) {
  cache_.Request();
  Watch({SetEvent("a", "1")});
  Break();
  cache_.Take(Message("c1", true, {SetEvent("b", "1")}), kStart);
  EXPECT_EQ(shown_.Text(), "b=1");
}

TEST_F(NearCacheTest, ARenewalIsNotToldAndANewHolderIs) {
  Begin({SetEvent("a", "1")});
  EXPECT_THAT(Watch({SetEvent("a", "1", Later(1))}), IsEmpty());
  EXPECT_THAT(
      Watch({SetEvent(
          "a", "1", {.holder = "third", .version = "v3", .start = kT0 + 9, .written = kT0 + 9, .epoch = kEpoch * 2})}),
      ElementsAre("set a"));
}

TEST_F(NearCacheTest, OwnWritesAreReadAtOnce) {
  Begin({SetEvent("b", "1", {.holder = "me"})});
  Mine("a", "1");
  Mine("b", "", {.version = "v2", .written = kT0 + 1, .deleted = true});
  EXPECT_EQ(shown_.Text(), "a=1");
  EXPECT_THAT(Watch({SetEvent("a", "1", {.holder = "me"})}), ElementsAre("set a"));
  cache_.Expire(kStart + kOwnMost * 10);
  EXPECT_EQ(shown_.Text(), "a=1 b=1") << "the watch's entry stays, and a write that it never brought goes";
  EXPECT_FALSE(cache_.has_own_writes());
}

TEST_F(NearCacheTest, OwnWritesGiveWayToTheWatch) {
  Begin({SetEvent("a", "1", {.holder = "me"})});
  Mine("a", "3", Later(2));
  Watch({SetEvent("a", "2", Later(1, "me"))});
  EXPECT_EQ(shown_.Text(), "a=3") << "an older event does not hide it";
  Watch({SetEvent("a", "9", {.version = "v9", .written = kT0 + 9, .epoch = kEpoch * 2})});
  EXPECT_EQ(shown_.Text(), "a=9") << "a newer one does";
}

TEST_F(NearCacheTest, AnOwnWriteThatDiedWithItsNodeGoes) {
  Begin({SetEvent("a", "1", {.holder = "me"})});
  Mine("a", "2", Later(1));
  cache_.Expire(kStart + kOwnMost - absl::Milliseconds(1));
  EXPECT_EQ(shown_.Text(), "a=2");
  cache_.Expire(kStart + kOwnMost);
  EXPECT_EQ(shown_.Text(), "a=1");
}

TEST_F(NearCacheTest, AfterAMoveAnOwnWriteIsInDoubtForAShorterTime) {
  Begin({SetEvent("a", "1", {.holder = "me"})});
  Mine("a", "2", Later(1));
  Break();
  const Moment moved = kStart + absl::Seconds(5);
  cache_.Take(Message("c2", false), moved);
  cache_.Expire(moved + kDoubtMost - absl::Milliseconds(1));
  EXPECT_EQ(shown_.Text(), "a=2");
  cache_.Expire(moved + kDoubtMost);
  EXPECT_EQ(shown_.Text(), "a=1");
}

TEST_F(NearCacheTest, AnAnswerThatComesAfterItsEventsChangesNothing) {
  Begin();
  cache_.Take(Message("c2", false, {SetEvent("a", "1", {.holder = "me"}), DeletedEvent("a", Later(1, "me"))}), kStart);
  Mine("a", "1");
  EXPECT_EQ(shown_.Text(), "") << "the delete remains";
}

TEST_F(NearCacheTest, OfOneMillisecondTheWatchKnowsTheOrder) {
  Begin({SetEvent("a", "1", {.holder = "me"})});
  Mine("a", "2", {.version = "v2"}, {"v1"});
  EXPECT_EQ(shown_.Text(), "a=2") << "nothing came since it was sent: it is the later one";
  Watch({SetEvent("a", "2", {.holder = "me", .version = "v2"}), SetEvent("a", "3", {.holder = "me", .version = "v3"})});
  Mine("a", "2", {.version = "v2"}, {"v1"});  // the answer to another thread, late
  EXPECT_EQ(shown_.Text(), "a=3");
}

TEST_F(NearCacheTest, EarlierWritesOfTheSameMillisecondHideNothing) {
  Begin({SetEvent("a", "1", {.holder = "me"})});
  for (const std::string number : {"2", "3"}) Mine("a", number, {.version = "v" + number}, cache_.Versions("a"));
  const std::vector<std::string> sent = cache_.Versions("a");  // v4 is under way
  Watch({SetEvent("a", "2", {.holder = "me", .version = "v2"})});
  EXPECT_EQ(shown_.Text(), "a=3") << "the watch is behind";
  Mine("a", "4", {.version = "v4"}, sent);
  Watch({SetEvent("a", "3", {.holder = "me", .version = "v3"})});
  EXPECT_EQ(shown_.Text(), "a=4") << "the watch is behind";
  Watch({SetEvent("a", "5", {.holder = "me", .version = "v5"})});
  EXPECT_EQ(shown_.Text(), "a=5") << "a write that this program did not make is later";
}

TEST_F(NearCacheTest, OfTwoUnderWayTogetherTheLastAnswerIsShown) {
  Begin();
  for (const std::string number : {"2", "3"}) {
    Mine("a", number, {.version = "v" + number});
    EXPECT_EQ(shown_.Text(), "a=" + number);
  }
  Watch({SetEvent("a", "2", {.holder = "me", .version = "v2"})});
  EXPECT_EQ(shown_.Text(), "a=2") << "the watch knows the order";
}

TEST_F(NearCacheTest, ARenewalKeepsTheValue) {
  Begin({SetEvent("a", "1", {.holder = "me"})});
  Mine("a", "", {.version = "v2", .written = kT0 + 1, .no_value = true});
  EXPECT_EQ(shown_.Text(), "a=1");
  EXPECT_EQ(shown_.Shown("a")->version, "v2");
  Mine("never-seen", "", {.no_value = true});
  EXPECT_EQ(shown_.Text(), "a=1") << "no value, no key";
}

TEST_F(NearCacheTest, OwnWritesOutlastASnapshot) {
  Begin();
  Mine("a", "1");
  Mine("b", "", {.version = "v2", .deleted = true});
  Break(false);
  cache_.Take(Message("c2", true, {SetEvent("b", "old", {.holder = "me", .written = kT0 - 1})}), kStart);
  EXPECT_EQ(shown_.Text(), "a=1");
}

TEST_F(NearCacheTest, KeysOfOtherPrefixesAreNotKept) {
  NearCache cache("me", "app/", shown_);
  EXPECT_EQ(cache.Request().prefixes_bytes(0), "app/");
  cache.Wrote(EntryOf("elsewhere", "1", {.holder = "me"}), kStart, {});
  EXPECT_EQ(shown_.Text(), "");
}

TEST_F(NearCacheTest, ALeaseThatWasReplacedWhileItRanIsLost) {
  const v1::Event theirs =
      SetEvent("a", "theirs", {.version = "v9", .start = kT0 + 10, .written = kT0 + 10, .epoch = kEpoch * 2});
  const auto told = [&theirs](const Made& mine) {
    Copy shown;
    NearCache cache("me", "", shown);
    cache.Request();
    cache.Take(Message("c1", true, {SetEvent("a", "mine", mine)}), kStart);
    return Told(cache.Take(Message("", false, {theirs}), kStart));
  };
  EXPECT_THAT(told({.holder = "me"}), ElementsAre("lost a", "set a"));
  EXPECT_THAT(told({.holder = "me", .expire = kT0 + 5}), ElementsAre("set a")) << "it lapsed before";
  EXPECT_THAT(told({.holder = "me", .expire = kT0}), ElementsAre("set a")) << "it was released before";
  EXPECT_THAT(told({.holder = "third"}), ElementsAre("set a")) << "another's loss";
}

TEST_F(NearCacheTest, TheServersWordOfALossIsToldOnce) {
  Begin({SetEvent("a", "1")});
  const v1::Event lost = LostEvent(ProtoEntry("a", "mine", {.version = "v7"}), ProtoEntry("a", "1"));
  EXPECT_THAT(Watch({lost}), ElementsAre("lost a"));
  EXPECT_THAT(Watch({lost}), IsEmpty());
  EXPECT_EQ(shown_.Text(), "a=1") << "a lost write is not in the map";
}

TEST(Lately, KeepsTheLatestUpToABound) {
  Lately<int> lately(2);
  EXPECT_FALSE(lately.Put("a", 1));
  EXPECT_FALSE(lately.Put("b", 2));
  EXPECT_FALSE(lately.Put("a", 3)) << "the later one is in place of the one before";
  EXPECT_TRUE(lately.Put("c", 4)) << "the oldest goes";
  EXPECT_EQ(lately.Get("b"), nullptr);
  EXPECT_EQ(*lately.Get("a"), 3);
  EXPECT_EQ(lately.TakeFirst(), 3);
  lately.Drop("c");
  EXPECT_EQ(lately.TakeFirst(), std::nullopt);
}

}  // namespace
}  // namespace leasemap::internal

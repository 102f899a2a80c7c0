// What a watch tells of streams that follow each other, without a server.
#include "clients/cpp/core/watch_fold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/clients/cpp/made.h"

namespace leasemap::internal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// A fold, and what it told of each message as "kind key=value".
class Fold {
 public:
  explicit Fold(const WatchOptions& options = {}) : fold_(options) { fold_.Request(); }

  std::vector<std::string> Take(const v1::WatchResponse& message) {
    std::vector<Event> told;
    unknown = fold_.Take(message, told);
    return Show(told);
  }
  std::vector<std::string> TakeBack(const absl::flat_hash_map<std::string, Entry>& found) {
    std::vector<Event> told;
    fold_.TakeBack(found, told);
    return Show(told);
  }
  v1::WatchRequest Next() { return fold_.Request(); }

  std::vector<std::string> unknown;  // what the last Take asked for

 private:
  static std::vector<std::string> Show(const std::vector<Event>& told) {
    std::vector<std::string> shown;
    for (const Event& event : told) {
      std::string text = std::string(KindName(event.kind)) + " " + event.entry.key;
      if (event.entry.has_value) text += "=" + event.entry.value;
      if (!event.cursor.empty()) text += "at " + event.cursor;
      if (event.snapshot_end) text += " end";
      shown.push_back(text);
    }
    return shown;
  }
  WatchFold fold_;
};

Made Ghost() { return {.version = "v9", .written = kT0 + 9}; }

TEST(WatchFold, AsksForWhatTheOptionsName) {
  Fold fold(
      {.prefixes = {"a/"}, .keys = {"k"}, .snapshot = true, .kinds = {Kind::kSet, Kind::kLost}, .keys_only = true});
  const v1::WatchRequest request = fold.Next();
  EXPECT_EQ(request.prefixes_bytes(0), "a/");
  EXPECT_EQ(request.keys_bytes(0), "k");
  EXPECT_THAT(request.kinds(), ElementsAre(v1::Event::KIND_SET, v1::Event::KIND_LOST));
  EXPECT_TRUE(request.include_snapshot());
  EXPECT_TRUE(request.keys_only());
  EXPECT_EQ(Fold({.cursor = "c7"}).Next().cursor(), "c7");
}

TEST(WatchFold, AResumedStreamTellsNothingTwice) {
  Fold fold;
  EXPECT_THAT(fold.Take(Message("c1", false, {SetEvent("a", "1")})), ElementsAre("set a=1"));
  const v1::WatchResponse after = Message(
      "", false, {SetEvent("a", "2", {.version = "v2", .written = kT0 + 1}), DeletedEvent("b", {.version = "v3"})});
  EXPECT_THAT(fold.Take(after), ElementsAre("set a=2", "deleted b"));
  EXPECT_EQ(fold.Next().cursor(), "c1");
  EXPECT_THAT(fold.Take(after), IsEmpty());
  EXPECT_THAT(fold.Take(Message("c2", false, {SetEvent("c", "1")})), ElementsAre("set c=1"));
  EXPECT_THAT(fold.unknown, IsEmpty());
  EXPECT_EQ(fold.Next().cursor(), "c2");
}

TEST(WatchFold, ALapseIsAnEventOfTheVersionThatWasSet) {
  Fold fold;
  EXPECT_THAT(fold.Take(Message("", false, {SetEvent("a", "1"), ExpiredEvent("a", "1"), ExpiredEvent("a", "1")})),
              ElementsAre("set a=1", "expired a=1"));
}

TEST(WatchFold, WhatOnlyADeadNodeHadIsTakenBack) {
  Fold fold;
  fold.Take(Message("c1", false));
  fold.Take(Message("", false,
                    {SetEvent("a", "9", Ghost()), SetEvent("b", "9", Ghost()), SetEvent("c", "9", Ghost()),
                     DeletedEvent("d", Ghost())}));
  fold.Next();
  EXPECT_THAT(fold.Take(Message("", false, {SetEvent("a", "2", {.version = "v2"}), SetEvent("c", "9", Ghost())})),
              IsEmpty())
      << "whether the rest is on its way is not known yet";
  EXPECT_THAT(fold.Take(Message("c2", false)), IsEmpty());
  EXPECT_THAT(fold.unknown, UnorderedElementsAre("b", "d"));
  EXPECT_EQ(fold.Next().cursor(), "c1") << "until it is known the old cursor counts";
  fold.Take(Message("", false, {SetEvent("a", "2", {.version = "v2"}), SetEvent("c", "9", Ghost())}));
  fold.Take(Message("c2", false));
  EXPECT_THAT(fold.TakeBack({{"d", EntryOf("d", "1")}}), UnorderedElementsAre("set a=2", "deleted b", "set d=1"));
  EXPECT_EQ(fold.Next().cursor(), "c2");
}

TEST(WatchFold, WhatIsTakenBackAndComesAgainIsToldOnce) {
  Fold fold;
  fold.Take(Message("c1", false));
  fold.Take(Message("", false, {SetEvent("a", "9", Ghost())}));
  fold.Next();
  fold.Take(Message("c2", false));
  EXPECT_THAT(fold.TakeBack({{"a", EntryOf("a", "5", {.version = "v5"})}}), ElementsAre("set a=5"));
  EXPECT_THAT(fold.Take(Message("", false, {SetEvent("a", "5", {.version = "v5"})})), IsEmpty())
      << "it is newer than the cursor, and the stream brings it, too";
}

TEST(WatchFold, OnlyKindsThatWereAskedForAreTakenBack) {
  Fold fold({.kinds = {Kind::kSet}});
  fold.Take(Message("c1", false));
  fold.Take(Message("", false, {SetEvent("a", "9", Ghost())}));
  fold.Next();
  fold.Take(Message("c2", false));
  EXPECT_THAT(fold.TakeBack({}), IsEmpty());
}

TEST(WatchFold, AStreamsOwnOrderIsTheNodes) {
  Fold fold;
  EXPECT_THAT(fold.Take(Message("", false, {SetEvent("a", "9", Ghost()), SetEvent("a", "1")})),
              ElementsAre("set a=9", "set a=1"));
}

TEST(WatchFold, ASnapshotThatIsTriedAgainTellsWhatStands) {
  Fold fold({.snapshot = true, .bookmarks = true});
  EXPECT_THAT(fold.Take(Message("", false, {SetEvent("a", "9", Ghost()), SetEvent("b", "9", Ghost())})),
              ElementsAre("set a=9", "set b=9"));
  EXPECT_TRUE(fold.Next().include_snapshot());
  EXPECT_THAT(fold.Take(Message("", false, {SetEvent("a", "1"), SetEvent("c", "1")})), ElementsAre("set c=1"));
  EXPECT_THAT(fold.Take(Message("c1", true)), UnorderedElementsAre("set a=1", "deleted b", "bookmark at c1 end"));
  EXPECT_FALSE(fold.Next().include_snapshot());
}

TEST(WatchFold, BookmarksComeWithEachCursorWhereTheyAreWanted) {
  Fold with({.bookmarks = true}), without;
  EXPECT_THAT(with.Take(Message("c1", false, {SetEvent("a", "1")})), ElementsAre("set a=1", "bookmark at c1"));
  EXPECT_THAT(without.Take(Message("c1", false, {SetEvent("a", "1")})), ElementsAre("set a=1"));
}

TEST(WatchFold, LostWritesAreNotCompared) {
  Fold fold({.kinds = {Kind::kLost}});
  const v1::Event lost = LostEvent(ProtoEntry("a", "mine"), ProtoEntry("a", "theirs"));
  EXPECT_THAT(fold.Take(Message("", false, {lost, lost})), ElementsAre("lost a=mine", "lost a=mine"));
}

}  // namespace
}  // namespace leasemap::internal

// The chaos test's watcher: what it counts, what it drops, and what it complains about.
#include "tests/e2e/chaos/driver/fold.h"

#include <gtest/gtest.h>

namespace leasemap::chaos {
namespace {

void Add(v1::WatchResponse& message, const std::string& key, const std::string& version, int token,
         v1::Event::Kind kind = v1::Event::KIND_SET) {
  v1::Event* event = message.add_events();
  event->set_kind(kind);
  event->mutable_entry()->set_key(key);
  event->mutable_entry()->set_version(version);
  event->mutable_entry()->mutable_lease()->set_fencing_token(std::to_string(1000 + token));
}

v1::WatchResponse Message(const std::string& key, const std::string& version, int token, const std::string& cursor) {
  v1::WatchResponse message;
  Add(message, key, version, token);
  message.set_cursor(cursor);
  return message;
}

TEST(Fold, CountsOnlyWhatACursorFollowed) {
  Fold fold;
  fold.Begin(false);
  EXPECT_EQ(fold.Take(Message("a", "1", 1, "")), "");
  EXPECT_TRUE(fold.known().empty());
  fold.Begin(false);
  EXPECT_EQ(fold.Take(Message("a", "1", 1, "c")), "") << "it was dropped when the stream ended";
  EXPECT_EQ(fold.known().at("a").version, "1");
  EXPECT_EQ(fold.cursor(), "c");
}

TEST(Fold, ComplainsAboutWhatComesTwiceAndWhatFalls) {
  Fold fold;
  fold.Begin(false);
  EXPECT_EQ(fold.Take(Message("a", "2", 2, "c")), "");
  EXPECT_NE(fold.Take(Message("a", "2", 2, "c")), "");
  EXPECT_NE(fold.Take(Message("a", "1", 1, "c")), "");
  EXPECT_EQ(fold.Take(Message("a", "3", 3, "c")), "");
}

TEST(Fold, ASnapshotTakesTheMapsPlaceOnceItIsWhole) {
  Fold fold;
  fold.Begin(false);
  v1::WatchResponse first = Message("a", "1", 1, "c1");
  Add(first, "b", "2", 1, v1::Event::KIND_DELETED);
  EXPECT_EQ(fold.Take(first), "");
  fold.DropCursor();
  fold.Begin(true);
  EXPECT_NE(fold.Take(Message("c", "3", 1, "too soon")), "");
  fold.Begin(true);
  EXPECT_EQ(fold.Take(Message("a", "0", 0, "")), "") << "what was lost may be told anew, at a lower rank";
  v1::WatchResponse end;
  end.set_snapshot_end(true);
  end.set_cursor("c2");
  EXPECT_EQ(fold.Take(end), "");
  ASSERT_EQ(fold.known().size(), 1u);
  EXPECT_EQ(fold.known().at("a").version, "0");
  EXPECT_EQ(fold.graves().at("b").version, "2");
}

TEST(Fold, ALapseIsToldOnceOfTheEntryThatWasTold) {
  Fold fold;
  fold.Begin(false);
  EXPECT_EQ(fold.Take(Message("a", "1", 1, "c")), "");
  v1::WatchResponse lapse;
  Add(lapse, "a", "1", 1, v1::Event::KIND_EXPIRED);
  lapse.set_cursor("c");
  EXPECT_EQ(fold.Take(lapse), "");
  EXPECT_TRUE(fold.known().at("a").deleted);
  EXPECT_NE(fold.Take(lapse), "");
}

}  // namespace
}  // namespace leasemap::chaos

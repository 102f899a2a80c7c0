// The position of a watch survives its file, and a file that is not whole or of something else does no harm.
#include "clients/cli/core/position.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/matchers/status.h"

namespace leasemap::cli {
namespace {

absl::StatusOr<Position> Read(const std::string& text) {
  std::istringstream input(text);
  return ReadPosition(input);
}

v1::Event Set(const std::string& key, const std::string& version) {
  v1::Event event;
  event.set_kind(v1::Event::KIND_SET);
  event.mutable_entry()->set_key(key);
  event.mutable_entry()->set_value("a value");
  event.mutable_entry()->set_version(version);
  return event;
}

TEST(ReadPosition, TakesACursorAlone) {
  for (const char* text : {"c1\n", "c1", " c1 \r\n"}) {
    const auto position = Read(text);
    ASSERT_THAT(position, IsOk());
    EXPECT_EQ(position->cursor, "c1");
    EXPECT_TRUE(position->done.empty());
  }
  EXPECT_EQ(Read("")->cursor, "");
  EXPECT_EQ(Read("\n")->cursor, "");
}

TEST(ReadPosition, TakesWhatWasDoneSinceTheCursor) {
  const auto position = Read("c1\n" + DoneLine(Set("k1", "v1")) + DoneLine(Set("k2", "v2")));
  ASSERT_THAT(position, IsOk());
  ASSERT_EQ(position->done.size(), 2u);
  EXPECT_EQ(position->done[0].entry().key(), "k1");
  EXPECT_EQ(position->done[1].entry().version(), "v2");
  EXPECT_EQ(position->done[1].entry().value_form_case(), v1::Entry::VALUE_FORM_NOT_SET);
  EXPECT_EQ(Read("\n" + DoneLine(Set("k1", "v1")))->done.size(), 1u);
}

TEST(ReadPosition, LeavesOutALineThatIsNotWhole) {
  const std::string line = DoneLine(Set("k2", "v2"));
  for (size_t length = 1; length + 1 < line.size(); ++length) {
    const auto position = Read("c1\n" + DoneLine(Set("k1", "v1")) + line.substr(0, length));
    ASSERT_THAT(position, IsOk()) << length;
    EXPECT_EQ(position->done.size(), 1u) << length;
  }
}

TEST(ReadPosition, RefusesWhatIsNoPosition) {
  EXPECT_FALSE(Read("  \n").ok());
  EXPECT_FALSE(Read("c1\nsomething\nelse\n").ok());
  EXPECT_FALSE(Read(std::string(kLongestCursor + 1, 'c')).ok());
}

}  // namespace
}  // namespace leasemap::cli

// Cursors and versions: what was made is read back, and nothing else is taken.
#include <gtest/gtest.h>

#include "peer/core/data/bytes.h"
#include "peer/core/data/cursor.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/limits.h"
#include "peer/core/mesh/membership.h"
#include "tests/core/matchers.h"

namespace leasemap::core {
namespace {

Cursor Sample(Random& random) {
  Cursor cursor;
  cursor.cluster = "leasemap";
  cursor.wall_ms = 1'700'000'000'000 + random.Below(1000);
  cursor.filter_hash = random.Next();
  for (int64_t run = random.Below(4); run >= 0; --run) {
    const ReplicaId replica{"node-" + std::string(1, static_cast<char>('a' + run)), random.Next()};
    cursor.vector.Add(replica, 1, static_cast<uint64_t>(1 + random.Below(300)));
    if (random.Below(2) == 0) cursor.vector.Add(replica, 500, 500 + static_cast<uint64_t>(random.Below(200)));
    if (random.Below(2) == 0) cursor.vector.Add(replica, 1000, 1000);
  }
  return cursor;
}

TEST(CursorCodec, RoundTrip) {
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const Cursor cursor = Sample(random);
    const auto back = DecodeCursor(EncodeCursor(cursor));
    ASSERT_TRUE(back.has_value());
    ASSERT_EQ(*back, cursor);
  }
  EXPECT_EQ(DecodeCursor(EncodeCursor(Cursor{})), Cursor{});
}

TEST(CursorCodec, ThePastIsAMark) {
  Cursor cursor;
  cursor.vector.Add({"a", 1}, 1, 3);
  cursor.vector.Add({"b", 2}, 1, 1);
  const size_t named = EncodeCursor(cursor).size();
  ASSERT_EQ(cursor.vector.Fold({{"a", 1}, {"b", 2}}), 2u);
  cursor.vector = cursor.vector.Naming({{"c", 1}});
  const std::string text = EncodeCursor(cursor);
  EXPECT_LT(text.size(), named + 20);
  auto back = DecodeCursor(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, cursor);
  EXPECT_EQ(back->vector.past(), nullptr);
  // Whoever knows what the mark stands for tells it.
  ASSERT_TRUE(back->vector.Learn(cursor.vector));
  EXPECT_TRUE(back->vector.Covers(Dot{{"a", 1}, 3}));
  EXPECT_FALSE(back->vector.Covers(Dot{{"a", 1}, 4}));
}

// As large as a pass makes them (kPassGaps), in seqs as they are after years.
TEST(CursorCodec, OneWithManyGapsIsRead) {
  Random random(3);
  Cursor cursor;
  uint64_t seq = 1'000'000'000;
  cursor.vector.Add({"node-1", 1'782'586'079'358'635'906}, 1, seq);
  while (cursor.vector.exceptions() < kPassGaps) {
    seq += static_cast<uint64_t>(2 + random.Below(200));
    cursor.vector.Add({"node-1", 1'782'586'079'358'635'906}, seq, seq);
  }
  const std::string text = EncodeCursor(cursor);
  EXPECT_LT(text.size(), 24u << 10);
  EXPECT_GT(text.size(), 8u << 10);
  EXPECT_EQ(DecodeCursor(text), cursor);
}

TEST(CursorCodec, EveryChangeIsRefused) {
  Random random(2);
  const std::string text = EncodeCursor(Sample(random));
  for (size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(DecodeCursor(text.substr(0, length))) << length;
    EXPECT_FALSE(DecodeCursor(text.substr(length + 1))) << length;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string other = text;
      other[i] = static_cast<char>(byte);
      if (other != text) {
        ASSERT_FALSE(DecodeCursor(other)) << i << " " << byte;
      }
    }
  }
  const std::string raw = *DecodeBase64(text);
  for (size_t bit = 0; bit < raw.size() * 8; ++bit) {
    std::string other = raw;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
    ASSERT_FALSE(DecodeCursor(EncodeBase64(other))) << bit;
  }
  for (const char* more : {"A", "=", " ", "\n", "AAAA"}) EXPECT_FALSE(DecodeCursor(text + more));
}

TEST(CursorCodec, RightChecksumsDoNotMakeNonsenseRight) {
  const auto sealed = [](std::string body) {
    PutFixed64(body, Hash64(body, 0x6c6d63));
    return EncodeBase64(body);
  };
  std::string head;
  PutVarint(head, 4);  // the format
  PutString(head, "leasemap");
  PutFixed64(head, 1);
  PutFixed64(head, 2);
  std::string none = head;
  PutVarint(none, 0);                       // runs
  PutFixed64(none, 0);                      // the past: upto …
  PutFixed64(none, 0);                      // … and digest
  ASSERT_TRUE(DecodeCursor(sealed(none)));  // the format as this test knows it
  const auto refused = [&](uint64_t runs, uint64_t prefix, std::vector<std::pair<uint64_t, uint64_t>> ranges) {
    std::string body = head;
    PutVarint(body, runs);
    PutString(body, "n");
    PutFixed64(body, 7);
    PutVarint(body, prefix);
    PutVarint(body, ranges.size());
    for (const auto& [gap, length] : ranges) {
      PutVarint(body, gap);
      PutVarint(body, length);
    }
    PutFixed64(body, 0);  // the past: upto …
    PutFixed64(body, 0);  // … and digest
    return !DecodeCursor(sealed(body)).has_value();
  };
  EXPECT_FALSE(refused(1, 5, {{2, 0}}));
  EXPECT_TRUE(refused(1, 5, {{1, 0}}));  // touches the prefix
  EXPECT_TRUE(refused(1, 0, {}));        // covers nothing
  EXPECT_TRUE(refused(2, 5, {}));        // one run is missing
  EXPECT_TRUE(refused(UINT64_MAX, 5, {}));
  EXPECT_TRUE(refused(1, 5, {{UINT64_MAX, 0}}));
  EXPECT_TRUE(refused(1, 5, {{2, UINT64_MAX}}));
  EXPECT_TRUE(refused(1, 5, {{2, UINT64_MAX - 7}}));  // up to the greatest number
  std::string later;
  PutVarint(later, 3);
  EXPECT_FALSE(DecodeCursor(sealed(later + head.substr(1) + std::string(1, '\0'))));
}

TEST(Versions, RoundTripAndRefusal) {
  const Dot dot{{"node-1", 0x1234567890abcdef}, 300};
  const std::string version = VersionOf(dot);
  EXPECT_EQ(ParseVersion(version), dot);
  for (size_t length = 0; length < version.size(); ++length) EXPECT_FALSE(ParseVersion(version.substr(0, length)));
  for (const char* bad : {"", "!", "A", "AAAA", "color", "====", "AAAAAAAAAAAAAAAAAAAA"}) {
    EXPECT_FALSE(ParseVersion(bad)) << bad;
  }
  EXPECT_FALSE(ParseVersion(version + "A"));
  EXPECT_FALSE(ParseVersion(VersionOf({{"n", 1}, 0})));
  EXPECT_FALSE(ParseVersion(VersionOf({{"", 1}, 1})));
  // Another dot is another version.
  EXPECT_NE(VersionOf({{"node-1", 1}, 2}), VersionOf({{"node-1", 2}, 1}));
}

TEST(Reader, EachFixedNumberHasEightBytes) {
  Reader whole("12345678"), seven("1234567"), after("1234567");
  EXPECT_NE(whole.Fixed64(), 0u);
  EXPECT_TRUE(whole.done());
  EXPECT_EQ(seven.Fixed64(), 0u);
  EXPECT_FALSE(seven.ok());
  EXPECT_EQ(seven.Varint(), 0u);  // a failure stays one
  EXPECT_EQ(after.String(0), "");
  EXPECT_FALSE(after.ok());
}

TEST(Reader, EndsInsideAValueAreFailures) {
  for (const std::string& bytes :
       {std::string(), std::string("\x80"), std::string(10, '\xff'), std::string(11, '\x80')}) {
    Reader reader(bytes);
    reader.Varint();
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.Fixed64(), 0u);
    EXPECT_EQ(reader.String(10), "");
  }
  std::string most;
  PutVarint(most, UINT64_MAX);
  Reader reader(most);
  EXPECT_EQ(reader.Varint(), UINT64_MAX);
  EXPECT_TRUE(reader.done());
  Reader too_long("\x05hello");
  EXPECT_EQ(too_long.String(4), "");
  EXPECT_FALSE(too_long.ok());
}

}  // namespace
}  // namespace leasemap::core

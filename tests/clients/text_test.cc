// What may travel as text, and how other bytes are shown and read back.
#include "clients/cli/core/text.h"

#include <gtest/gtest.h>

#include <random>

namespace leasemap::cli {
namespace {

using namespace std::string_literals;

TEST(IsUtf8, KnowsWellFormedText) {
  for (const std::string& text : {""s, "color"s, "\0"s, "é"s, "€"s, "😀"s, "\xf4\x8f\xbf\xbf"s}) {
    EXPECT_TRUE(IsUtf8(text)) << Escape(text);
  }
}

TEST(IsUtf8, RefusesMalformedText) {
  const std::string cases[] = {"\xff"s,
                               "\x80"s,
                               "\xc0\x80"s,
                               "\xc1\xbf"s,
                               "\xe0\x80\x80"s,
                               "\xed\xa0\x80"s,
                               "\xf0\x80\x80\x80"s,
                               "\xf4\x90\x80\x80"s,
                               "\xf5\x80\x80\x80"s,
                               "\xe2\x82"s,
                               "a\xc3"s,
                               "\xc3("s};
  for (const std::string& bytes : cases) EXPECT_FALSE(IsUtf8(bytes)) << Escape(bytes);
}

TEST(Escape, KeepsPrintableTextAndHidesTheRest) {
  EXPECT_EQ(Escape("a b é 😀"), "a b é 😀");
  EXPECT_EQ(Escape("a\tb\nc\rd\\e"), "a\\tb\\nc\\rd\\\\e");
  EXPECT_EQ(Escape("\0\x1b[31m\x7f"s), "\\x00\\x1b[31m\\x7f");
  EXPECT_EQ(Escape("\xff\xc3("), "\\xff\\xc3(");
  EXPECT_EQ(Escape("\xc2\x85"), "\\xc2\\x85") << "C1 control characters reach no terminal";
  EXPECT_EQ(EscapeWord("a b"), "a\\x20b");
}

TEST(Unescape, RefusesUnknownForms) {
  for (const char* text : {"\\", "\\a", "\\x", "\\x4", "\\xg0", "\\x0"}) EXPECT_FALSE(Unescape(text).ok()) << text;
}

TEST(Unescape, UndoesEscapeForAnyBytes) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 20, '\0');
    for (char& c : bytes) c = static_cast<char>(random() % 3 == 0 ? random() : 0x20 + random() % 96);
    const std::string shown = Escape(bytes);
    EXPECT_TRUE(IsUtf8(shown));
    EXPECT_EQ(shown.find_first_of("\t\n\r"s), std::string::npos);
    ASSERT_EQ(*Unescape(shown), bytes);
    ASSERT_EQ(*Unescape(EscapeWord(bytes)), bytes);
  }
}

}  // namespace
}  // namespace leasemap::cli

// How bytes are shown on a terminal and read back.
#include "clients/cli/core/text.h"

#include <gtest/gtest.h>

#include <random>

#include "text/utf8.h"

namespace leasemap::cli {
namespace {

using namespace std::string_literals;

TEST(Escape, KeepsPrintableTextAndHidesTheRest) {
  EXPECT_EQ(Escape("a b é 😀"), "a b é 😀");
  EXPECT_EQ(Escape("a\tb\nc\rd\\e"), "a\\tb\\nc\\rd\\\\e");
  EXPECT_EQ(Escape("\0\x1b[31m\x7f"s), "\\x00\\x1b[31m\\x7f");
  EXPECT_EQ(Escape("\xff\xc3("), "\\xff\\xc3(");
  EXPECT_EQ(Escape("\xc2\x85"), "\\xc2\\x85") << "C1 control characters reach no terminal";
  EXPECT_EQ(Escape("a\u202etxt.exe"), "a\\xe2\\x80\\xaetxt.exe") << "it would be shown as aexe.txt";
  EXPECT_EQ(Escape("\xed\xa0\x80\xc0\xaf\xe2\x82"), "\\xed\\xa0\\x80\\xc0\\xaf\\xe2\\x82") << "not UTF-8";
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
    EXPECT_TRUE(text::IsPrintableUtf8(shown));
    EXPECT_EQ(shown.find_first_of("\t\n\r"s), std::string::npos);
    ASSERT_EQ(*Unescape(shown), bytes);
    ASSERT_EQ(*Unescape(EscapeWord(bytes)), bytes);
  }
}

}  // namespace
}  // namespace leasemap::cli

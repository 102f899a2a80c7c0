// Which bytes are UTF-8, and which characters may be shown.
#include "text/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace leasemap::text {
namespace {

using namespace std::string_literals;

// The bytes as hexadecimal digits, for the message of a failed test.
std::string Hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    out += "0123456789abcdef"[c & 15];
  }
  return out;
}

// The code point as UTF-8 would write it, without any check: also a surrogate, and in more bytes than it needs.
std::string Encode(char32_t code, int length) {
  if (length == 1) return std::string(1, static_cast<char>(code));
  std::string out(length, '\0');
  for (int i = length - 1; i > 0; --i, code >>= 6) out[i] = static_cast<char>(0x80 | (code & 0x3f));
  out[0] = static_cast<char>((0xf0 << (4 - length)) | code);
  return out;
}

int LengthOf(char32_t code) { return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; }

TEST(Utf8, TakesEveryCodePointInItsShortestForm) {
  for (char32_t code = 0; code <= 0x10ffff; ++code) {
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    const std::string bytes = Encode(code, LengthOf(code));
    ASSERT_EQ(IsUtf8(bytes), !surrogate) << Hex(bytes);
    const Character first = First(bytes + "x");
    ASSERT_EQ(first.length, surrogate ? 0 : bytes.size()) << Hex(bytes);
    ASSERT_EQ(first.code, surrogate ? 0 : code) << Hex(bytes);
  }
}

TEST(Utf8, RefusesOverlongForms) {
  for (char32_t code : {0x0, 0x2f, 0x7f, 0x80, 0x7ff, 0x800, 0xffff}) {
    for (int length = LengthOf(code) + 1; length <= 4; ++length) {
      const std::string bytes = Encode(code, length);
      EXPECT_FALSE(IsUtf8(bytes)) << Hex(bytes);
      EXPECT_EQ(First(bytes).length, 0u) << Hex(bytes);
    }
  }
}

TEST(Utf8, RefusesWhatIsNoCodePoint) {
  for (const std::string& bytes :
       {"\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xf8\x88\x80\x80\x80"s, "\x80"s, "\xbf"s, "\xfe"s, "\xff"s}) {
    EXPECT_FALSE(IsUtf8(bytes)) << Hex(bytes);
    EXPECT_EQ(First(bytes).length, 0u) << Hex(bytes);
  }
}

TEST(Utf8, RefusesTruncatedSequences) {
  for (const std::string& whole : {"é"s, "€"s, "😀"s}) {
    for (size_t length = 1; length < whole.size(); ++length) {
      const std::string cut = whole.substr(0, length);
      EXPECT_EQ(First(cut).length, 0u) << Hex(cut);
      // At the end, before ASCII, and before the start of another character.
      for (const std::string& bytes : {cut, "a" + cut, cut + "(", cut + whole}) {
        EXPECT_FALSE(IsUtf8(bytes)) << Hex(bytes);
      }
    }
  }
}

TEST(Utf8, ReadsOneCharacterWhateverFollows) {
  for (const std::string& next : {""s, "a"s, "😀"s, "\xff"s, "\xe2\x82"s}) {
    EXPECT_EQ(First("a" + next).length, 1u);
    EXPECT_EQ(First("é" + next).length, 2u);
    EXPECT_EQ(First("€" + next).length, 3u);
    EXPECT_EQ(First("€" + next).code, U'€');
    EXPECT_EQ(First("😀" + next).length, 4u);
  }
  EXPECT_EQ(First(std::string(1, '\0')).length, 1u);
}

TEST(Utf8, KnowsWhatPrints) {
  for (const std::string& text : {""s, "color"s, "a b\\"s, "grün ✓"s, "名前"s, "😀"s, "\ue000"s, "\u00a0"s}) {
    EXPECT_TRUE(IsPrintableUtf8(text)) << Hex(text);
  }
  for (const std::string& text : {"a\nb"s, "\0"s, "\x1b[31m"s, "\x7f"s, "\u0085"s, "\u2028"s, "\u2029"s, "\ufeff"s,
                                  "\u200b"s, "\u200d"s, "\ufdd0"s, "\ufffe"s, "\U0001ffff"s, "\U0010fffe"s, "\xff"s}) {
    EXPECT_FALSE(IsPrintableUtf8(text)) << Hex(text);
  }
}

// The property Bidi_Control. "a\u202etxt.exe" would be shown as "aexe.txt".
TEST(Utf8, HidesWhatTurnsTheDirectionOfText) {
  for (const char32_t code : U"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"s) {
    EXPECT_FALSE(IsPrintable(code)) << Hex(Encode(code, 3));
    EXPECT_FALSE(IsPrintableUtf8("a" + Encode(code, LengthOf(code)) + "b"));
  }
  EXPECT_TRUE(IsPrintable(U'א')) << "letters of a right-to-left script are shown";
}

}  // namespace
}  // namespace leasemap::text

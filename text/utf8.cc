#include "text/utf8.h"

#include <algorithm>

#include "utf8cpp/utf8.h"

namespace leasemap::text {
namespace {

constexpr std::ptrdiff_t kLongest = 4;  // bytes of one character

struct Range {
  char32_t first;
  char32_t last;
};
// Of Unicode 15: the categories Cc, Zl and Zp, the property Bidi_Control, U+200B to U+200D, the byte order mark, and
// the noncharacters U+FDD0 to U+FDEF. The other noncharacters are the last two of each plane.
constexpr Range kHidden[] = {{0x0, 0x1f},      {0x7f, 0x9f},     {0x61c, 0x61c},   {0x200b, 0x200f},
                             {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfdd0, 0xfdef}, {0xfeff, 0xfeff}};

}  // namespace

Character First(std::string_view bytes) {
  const char* const begin = bytes.data();
  if (static_cast<unsigned char>(*begin) < 0x80) return {1, static_cast<char32_t>(*begin)};
  // The window has room for one character of any length, so only a malformed first one can be invalid at its start.
  const char* const end = begin + std::min(kLongest, static_cast<std::ptrdiff_t>(bytes.size()));
  if (utf8::find_invalid(begin, end) == begin) return {};
  const char* next = begin;
  const char32_t code = utf8::unchecked::next(next);
  return {static_cast<size_t>(next - begin), code};
}

bool IsUtf8(std::string_view bytes) { return utf8::is_valid(bytes.begin(), bytes.end()); }

bool IsPrintable(char32_t code) {
  const bool last_of_plane = (code & 0xfffe) == 0xfffe;
  return !last_of_plane && std::none_of(std::begin(kHidden), std::end(kHidden), [code](const Range& range) {
    return range.first <= code && code <= range.last;
  });
}

bool IsPrintableUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Character character = First(bytes);
    if (character.length == 0 || !IsPrintable(character.code)) return false;
    bytes.remove_prefix(character.length);
  }
  return true;
}

}  // namespace leasemap::text

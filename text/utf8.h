// UTF-8 for the server and the command line: which bytes are text, and which characters may be shown as they are.
// The decoder is utfcpp's (docs/decisions/0028).
#pragma once

#include <cstddef>
#include <string_view>

namespace leasemap::text {

// One character: the number of its bytes, and its code point.
struct Character {
  size_t length = 0;  // 0: the bytes do not begin with a well-formed character
  char32_t code = 0;
};
// The character at the start of `bytes`, which must not be empty.
Character First(std::string_view bytes);

// True for well-formed UTF-8 (RFC 3629): no overlong form, no surrogate, nothing above U+10FFFF, nothing cut short.
bool IsUtf8(std::string_view bytes);

// False for characters that a log or a terminal acts upon, or that cannot be seen: controls, line and paragraph
// separators, marks that turn the direction of text, zero-width marks, and code points that are no characters.
bool IsPrintable(char32_t code);
// True for well-formed UTF-8 of printable characters.
bool IsPrintableUtf8(std::string_view bytes);

}  // namespace leasemap::text

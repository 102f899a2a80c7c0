// Bytes as text: which bytes may travel as text, and how bytes that a terminal should not see are shown.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_TEXT_H_
#define LEASEMAP_CLIENTS_CLI_CORE_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace leasemap::cli {

// True for well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF). Only such bytes may be sent in
// a proto string; anything else goes by the field's `_bytes` twin.
bool IsUtf8(std::string_view bytes);

// The length of the well-formed UTF-8 character at the start of `bytes`, which must not be empty, and its code point; 0
// if there is none.
size_t DecodeUtf8(std::string_view bytes, uint32_t& code);

// The bytes on one line: printable UTF-8 as it is, backslash as \\, tab, newline and carriage return as \t \n \r, other
// control characters and whatever is not UTF-8 byte by byte as \xNN. Unescape undoes it.
std::string Escape(std::string_view bytes);

// As Escape, and the space as \x20: for a word that ends at the next space.
std::string EscapeWord(std::string_view bytes);

// The bytes that were escaped. InvalidArgument for a backslash that starts none of the forms above.
absl::StatusOr<std::string> Unescape(std::string_view text);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_TEXT_H_

// JSON for logs.
#pragma once

#include <string>
#include <string_view>

namespace leasemap::text {

// The text as it may be between the quotes of a JSON string (RFC 8259, section 7). A byte that is no UTF-8 becomes
// U+FFFD, and characters that cannot be shown (IsPrintable) are escaped.
std::string JsonEscaped(std::string_view text);

}  // namespace leasemap::text

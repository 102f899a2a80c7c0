#include "text/json.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "text/utf8.h"

namespace leasemap::text {

std::string JsonEscaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto [length, code] = First(text);
    if (length == 0) {
      out += "\\ufffd";
    } else if (code == '"' || code == '\\') {
      out += {'\\', text.front()};
    } else if (code == '\n') {
      out += "\\n";
    } else if (code < 0x10000 && !IsPrintable(code)) {
      absl::StrAppend(&out, "\\u", absl::Hex(static_cast<uint32_t>(code), absl::kZeroPad4));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

}  // namespace leasemap::text

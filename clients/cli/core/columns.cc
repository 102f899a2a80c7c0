#include "clients/cli/core/columns.h"

#include <algorithm>
#include <cstdint>

#include "text/utf8.h"

namespace leasemap::cli {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// The large blocks of wide characters of Unicode 15 (EastAsianWidth.txt: W and F). Single wide characters outside of
// them are left out: they only make a column look ragged.
constexpr Range kWide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xac00, 0xd7a3},
                           {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
                           {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
// Combining marks and variation selectors. Escape leaves no other character without a width.
constexpr Range kJoining[] = {{0x300, 0x36f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};

template <size_t kSize>
bool IsIn(const Range (&ranges)[kSize], char32_t code) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [code](const Range& range) { return range.first <= code && code <= range.last; });
}

// The length in bytes and the width in columns of the first character.
struct Character {
  size_t length = 1;
  size_t width = 1;
};

Character First(std::string_view text) {
  const auto [length, code] = text::First(text);
  if (length == 0) return {};
  return {length, IsIn(kJoining, code) ? 0u : IsIn(kWide, code) ? 2u : 1u};
}

}  // namespace

size_t WidthOf(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const Character character = First(text);
    width += character.width;
    text.remove_prefix(character.length);
  }
  return width;
}

std::string Cut(std::string_view text, size_t width) {
  size_t used = 0;
  size_t kept = 0;  // the bytes that leave room for the ellipsis
  for (size_t at = 0; at < text.size();) {
    const Character character = First(text.substr(at));
    used += character.width;
    if (used > width) return std::string(text.substr(0, kept)) + "…";
    at += character.length;
    if (used < width) kept = at;
  }
  return std::string(text);
}

std::vector<std::string> Wrap(std::string_view text, size_t width) {
  std::vector<std::string> lines;
  std::string line;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    if (!line.empty() && WidthOf(line) + 1 + WidthOf(word) > width) {
      lines.push_back(line);
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

std::vector<std::string> Columns::Lines(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    widths_.resize(std::max(widths_.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths_[i] = std::max(widths_[i], WidthOf(row[i]));
  }
  std::vector<std::string> lines;
  lines.reserve(rows.size());
  for (const Row& row : rows) {
    std::string& line = lines.emplace_back();
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths_[i] - WidthOf(row[i]) + 2, ' ');
    }
  }
  return lines;
}

}  // namespace leasemap::cli

// Lays text out for a terminal: how wide it is there, cut to a width, wrapped at a width, and in aligned columns. All
// text must be UTF-8 without control characters, as Escape makes it.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_COLUMNS_H_
#define LEASEMAP_CLIENTS_CLI_CORE_COLUMNS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace leasemap::cli {

// How many columns a terminal uses for the text: two for a wide character (Chinese, Japanese, Korean, most emoji), none
// for one that joins the character before it.
size_t WidthOf(std::string_view text);

// The text itself if it has at most `width` columns (at least 1), or else its beginning with an ellipsis.
std::string Cut(std::string_view text, size_t width);

// Breaks the text at spaces into lines of at most `width` columns. A word that is wider has a line of its own.
std::vector<std::string> Wrap(std::string_view text, size_t width);

// A table that is printed part by part: a column is as wide as its widest cell so far. A later part may widen a column,
// and never narrows one.
class Columns {
 public:
  using Row = std::vector<std::string>;

  // The rows as lines: each cell but the last is padded, and two spaces separate cells.
  std::vector<std::string> Lines(const std::vector<Row>& rows);

 private:
  std::vector<size_t> widths_;
};

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_COLUMNS_H_

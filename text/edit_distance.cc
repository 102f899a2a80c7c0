#include "text/edit_distance.h"

#include <algorithm>
#include <vector>

namespace leasemap::text {

size_t EditDistance(std::string_view a, std::string_view b) {
  // Three rows of the usual table: the row for i letters of `a`, the one before it, and the one before that.
  std::vector<size_t> row(b.size() + 1), before(b.size() + 1), earlier(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    earlier.swap(before);
    before.swap(row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = before[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, before[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], earlier[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace leasemap::text

#include "clients/cli/core/suggest.h"

#include <algorithm>

namespace leasemap::cli {
namespace {

// A word that is longer is no option of ours, and its distance need not be computed.
constexpr size_t kLongestWord = 64;
// If one word begins with the other, the shorter one has at least this many letters.
constexpr size_t kShortestStem = 3;

bool BeginsWith(std::string_view text, std::string_view stem) {
  return stem.size() >= kShortestStem && text.substr(0, stem.size()) == stem;
}

}  // namespace

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

std::string Nearest(std::string_view mistyped, const std::vector<std::string>& known) {
  std::string nearest;
  if (mistyped.empty() || mistyped.size() > kLongestWord) return nearest;
  size_t least = std::max<size_t>(1, mistyped.size() / 3) + 1;
  for (const std::string& word : known) {
    const size_t distance = EditDistance(mistyped, word);
    if (distance >= least || distance >= std::max(mistyped.size(), word.size())) continue;
    least = distance;
    nearest = word;
  }
  if (!nearest.empty()) return nearest;
  for (const std::string& word : known) {
    if (BeginsWith(word, mistyped) || BeginsWith(mistyped, word)) return word;
  }
  return nearest;
}

}  // namespace leasemap::cli

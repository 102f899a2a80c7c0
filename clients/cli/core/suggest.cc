#include "clients/cli/core/suggest.h"

#include <algorithm>

#include "text/edit_distance.h"

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

std::string Nearest(std::string_view mistyped, const std::vector<std::string>& known) {
  std::string nearest;
  if (mistyped.empty() || mistyped.size() > kLongestWord) return nearest;
  size_t least = std::max<size_t>(1, mistyped.size() / 3) + 1;
  for (const std::string& word : known) {
    const size_t distance = text::EditDistance(mistyped, word);
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

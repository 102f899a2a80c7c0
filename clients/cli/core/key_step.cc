#include "clients/cli/core/key_step.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace leasemap::cli {

std::string KeyStep(std::string_view key, std::string_view typed) {
  const size_t slash = key.find('/', typed.size());
  return std::string(slash == std::string_view::npos ? key : key.substr(0, slash + 1));
}

std::string AfterStep(std::string_view step) {
  std::string next(step);
  if (next.empty() || next.back() != '/') return next + '\0';
  next.back() = '/' + 1;  // after the slash in the order of bytes
  return next;
}

bool IsPlainWord(std::string_view word) {
  constexpr std::string_view kOthers = "_./:@%+,-";
  return !word.empty() && word[0] != '-' && std::all_of(word.begin(), word.end(), [kOthers](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || kOthers.find(c) != std::string_view::npos;
  });
}

}  // namespace leasemap::cli

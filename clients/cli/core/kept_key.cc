#include "clients/cli/core/kept_key.h"

#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/core/text.h"

namespace leasemap::cli {

absl::StatusOr<std::vector<KeptKey>> ParseKeptKeys(const std::vector<std::string>& words) {
  if (words.size() > kKeptMost) {
    return absl::InvalidArgumentError(
        absl::StrCat("at most ", kKeptMost, " keys can be kept by one `leasemap keep`; start another for the rest"));
  }
  std::vector<KeptKey> all;
  std::set<std::string> keys;
  for (const std::string& word : words) {
    KeptKey kept;
    const size_t at = word.find('=');
    kept.key = word.substr(0, at);
    if (at != std::string::npos) kept.value = word.substr(at + 1);
    if (kept.key.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("\"", Escape(word), "\" names no key; write KEY or KEY=VALUE"));
    }
    if (!keys.insert(kept.key).second) {
      return absl::InvalidArgumentError(absl::StrCat("the key ", Escape(kept.key), " is there twice; name it once"));
    }
    all.push_back(std::move(kept));
  }
  return all;
}

}  // namespace leasemap::cli

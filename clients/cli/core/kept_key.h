// Reads an argument of `leasemap keep`: KEY, or KEY=VALUE for a key that is made and vanishes with its lease.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_KEPT_KEY_H_
#define LEASEMAP_CLIENTS_CLI_CORE_KEPT_KEY_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace leasemap::cli {

// One BatchRenew renews this many keys.
inline constexpr size_t kKeptMost = 1000;

struct KeptKey {
  std::string key;
  std::optional<std::string> value;  // what comes after the first =
};

// InvalidArgument for a word without a key, for a key that is there twice, and for too many of them.
absl::StatusOr<std::vector<KeptKey>> ParseKeptKeys(const std::vector<std::string>& words);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_KEPT_KEY_H_

// The input of `leasemap batch`: one Set a line, and how many of them travel in one call.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_BATCH_INPUT_H_
#define LEASEMAP_CLIENTS_CLI_CORE_BATCH_INPUT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::cli {

// One line is either a JSON object (it starts with `{`) with `key` or `key_bytes`, `value` or `value_bytes` (the
// `_bytes` ones in base64) and, if wanted, `lease` (as "30s") and `holder`; or `KEY<TAB>VALUE`, escaped as `leasemap
// ls` prints it. What the line leaves out is taken from `defaults` (its lease and holder). InvalidArgument says what is
// wrong with the line.
absl::StatusOr<v1::SetRequest> ParseBatchLine(std::string_view line, const v1::SetRequest& defaults);

// Collects requests into one call's worth: at most 1,000 items and, unless a single item is larger, 1 MiB. Both numbers
// are the server's for a batch (see BatchSet in key_value.proto) and for a frame of reasonable size.
class Chunk {
 public:
  struct Item {
    size_t line = 0;  // of the input, from 1
    v1::SetRequest request;
  };

  static constexpr size_t kMaxItems = 1000;
  static constexpr size_t kMaxBytes = 1 << 20;

  // False if the item does not fit any more: send this chunk first. An empty chunk takes any item.
  bool Add(size_t line, const v1::SetRequest& request);
  void Clear();
  const std::vector<Item>& items() const { return items_; }

 private:
  std::vector<Item> items_;
  size_t bytes_ = 0;  // of the encoded requests
};

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_BATCH_INPUT_H_

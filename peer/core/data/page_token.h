// Where the next page of a list begins, as the opaque string that clients get.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leasemap::core {

struct PageToken {
  uint64_t range = 0;    // HashOfRange of what is listed: a token is of no use for another range
  std::string last_key;  // of the page before
  bool operator==(const PageToken&) const = default;
};

// Of the range from `start` to before `end`.
uint64_t HashOfRange(std::string_view start, std::string_view end);

// With a checksum, which finds mistakes and cut tokens; it keeps nobody from making one.
std::string EncodePageToken(const PageToken& token);
// nullopt for anything that EncodePageToken did not make.
std::optional<PageToken> DecodePageToken(std::string_view text);

}  // namespace leasemap::core

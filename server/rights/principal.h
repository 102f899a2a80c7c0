// A principal: a program or a person that calls, with what it may do. One of the file of --auth-file
// (protos/leasemap/auth/v1/auth.proto).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace leasemap::rights {

struct Principal {
  std::string name;
  // Prefixes of the keys that it may read, and write. An empty prefix is of every key.
  std::vector<std::string> read, write;
  bool admin = false;
  std::vector<std::string> lease_as;
  // What it may have at once; 0: no bound. Keys and bytes: of the map, by their holder (core::OwnerOf).
  uint64_t keys = 0, bytes = 0, watches = 0, connections = 0;

  // Each is so because of one prefix: several that lie next to each other are not taken together.
  bool MayRead(std::string_view key) const;
  bool MayReadPrefix(std::string_view prefix) const;
  // All keys from `start` to before `end`; an empty `end` is the end of the map.
  bool MayReadRange(std::string_view start, std::string_view end) const;
  bool MayWrite(std::string_view key) const;
  // NAME, NAME/…, and what lease_as has.
  bool MayHold(std::string_view holder) const;
};
using PrincipalPtr = std::shared_ptr<const Principal>;

}  // namespace leasemap::rights

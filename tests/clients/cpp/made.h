// Entries, events and messages as a server sends them, for the tests of the C++ client.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "leasemap/entry.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::internal {

// The servers' time at which the tests begin, in seconds.
inline constexpr double kT0 = 1'700'000'000;
inline constexpr uint64_t kEpoch = uint64_t{1} << 40;

// How an entry differs from the usual one. Times are seconds.
struct Made {
  std::string holder = "other";
  std::string version = "v1";
  double start = kT0;
  double expire = kT0 + 3600;
  double written = kT0;
  double valued = 0;  // 0: the value is of this write
  uint64_t epoch = kEpoch;
  bool deleted = false;
  bool no_value = false;
};

v1::Entry ProtoEntry(const std::string& key, const std::string& value, const Made& made = {});
Entry EntryOf(const std::string& key, const std::string& value, const Made& made = {});

v1::Event SetEvent(const std::string& key, const std::string& value, const Made& made = {});
v1::Event DeletedEvent(const std::string& key, Made made = {});
v1::Event ExpiredEvent(const std::string& key, const std::string& value, const Made& made = {});
v1::Event LostEvent(const v1::Entry& loser, const v1::Entry& winner);

v1::WatchResponse Message(const std::string& cursor, bool snapshot_end, const std::vector<v1::Event>& events = {});

}  // namespace leasemap::internal

// Who breaks off more calls than a client ever needs to: gRPC begins each call before it sees that it was broken off,
// and cannot keep pace with a connection that does nothing else (CVE-2023-44487). Such a connection is ended, and its
// address may open only a few for some time. Pure: time is an input.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace leasemap::rpc {

using SteadyTime = std::chrono::steady_clock::time_point;

// The calls that were broken off on one connection.
class BrokenOff {
 public:
  // In one second. A client may open 3,000 calls at once (GRPC_ARG_MAX_CONCURRENT_STREAMS in server.cc), and break off
  // a thousand.
  static constexpr int64_t kMost = 4'000;
  // While its address is under a penalty. It ends honest clients of that address, too, that have more under way.
  static constexpr int64_t kMostUnderPenalty = 400;

  explicit BrokenOff(SteadyTime opened) : from_(opened) {}
  // `total`: calls since the connection was opened that are under way or did not end well. True if more than `most` of
  // them began within the present second. Where the last look was over a second ago it only begins a new second.
  bool IsTooMany(int64_t total, int64_t most, SteadyTime now);

 private:
  SteadyTime from_;     // the beginning of the second …
  int64_t before_ = 0;  // … and how many there were by then
};

// Addresses whose connections were ended for that.
class Penalties {
 public:
  static constexpr std::chrono::seconds kLasts{10};   // after the last offence
  static constexpr std::chrono::seconds kBetween{1};  // between two connections of an address
  static constexpr size_t kMostAddresses = 1'000;     // beyond it the one whose penalty ends first is let go

  void Add(const std::string& address, SteadyTime now);
  // Whether the address may open a connection now; if so, it does.
  bool Allows(const std::string& address, SteadyTime now);
  bool Has(const std::string& address, SteadyTime now) const;
  // Whether any is in force.
  bool any(SteadyTime now) const;
  size_t size() const { return by_address_.size(); }

 private:
  struct Penalty {
    SteadyTime until, next;
  };
  std::map<std::string, Penalty> by_address_;
};

}  // namespace leasemap::rpc

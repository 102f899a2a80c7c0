// The refusals of handshakes that stand: each is logged once, for as long as it stays the same, and shown in the
// status.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"

namespace leasemap::core {

class RefusalLog {
 public:
  enum class By { kSelf, kPeer };
  // `who`: the peer's node ID, or its address where it has not said one. Returns the line to log; none if the same was
  // logged already, which side ever refuses, or if there are too many (kMaxLoggedRefusals).
  std::optional<std::string> Note(MonoTime mono, const std::string& who, const std::string& address, By by,
                                  const Refuse& refuse);
  // A link with it came about.
  void Forget(const std::string& who) { refusals_.erase(who); }
  std::vector<std::string> Lines() const;
  size_t size() const { return refusals_.size(); }

 private:
  struct LoggedRefusal {
    std::string line;
    std::string cause;  // the part of the line that is the same whichever side refuses
    MonoTime mono{};
  };
  std::map<std::string, LoggedRefusal> refusals_;  // by who; kMaxLoggedRefusals at most
};

}  // namespace leasemap::core

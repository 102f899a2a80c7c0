// Warnings about a state that lasts: the first when it has lasted for some seconds, then again with back-off, so that
// a reader of the log sees it and the log does not fill.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "peer/core/data/limits.h"
#include "peer/core/data/mono_time.h"

namespace leasemap::core {

class Warnings {
 public:
  // Whether a second is over since the last look: the states are worth asking for then.
  bool Look(MonoTime mono) {
    if (mono < next_look_) return false;
    next_look_ = mono + 1000;
    return true;
  }
  // The states that hold now, by a key that stays the same while the text may change. Returns the texts that are due.
  // A state that is not named any more is over: if it comes back it begins again.
  std::vector<std::string> Due(MonoTime mono, const std::map<std::string, std::string>& states) {
    std::erase_if(known_, [&](const auto& known) { return !states.contains(known.first); });
    std::vector<std::string> due;
    for (const auto& [key, text] : states) {
      const auto [it, fresh] = known_.try_emplace(key, Known{mono + kWarnAfterMs, kWarnAgainMs});
      Known& known = it->second;
      if (fresh || mono < known.next) continue;
      known.next = mono + known.again_ms;
      known.again_ms = std::min(2 * known.again_ms, kWarnMostMs);
      due.push_back(text);
    }
    return due;
  }

 private:
  friend struct Inside;  // see node.h
  struct Known {
    MonoTime next{};   // monotonic
    int64_t again_ms;  // the pause after that
  };
  MonoTime next_look_{};
  std::map<std::string, Known> known_;  // as many as the caller names
};

}  // namespace leasemap::core

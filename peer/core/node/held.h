// Answers that wait until all that was applied before them is on this node's disk (saving.h).
//
// A client that got an answer may rely on what it says, whatever happens to this process: also on that of a request
// that was done before, or that there was nothing to change.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "peer/core/data/effects.h"

namespace leasemap::core {

class Held {
 public:
  size_t size() const { return answers_.size(); }
  // `change`: of the replica when the answer was found. It never falls from one to the next.
  void Add(uint64_t change, Effects::Answered answer) { answers_.emplace_back(change, std::move(answer)); }
  // Appends those that wait no longer.
  void Release(uint64_t saved_change, std::vector<Effects::Answered>& answered) {
    for (; !answers_.empty() && answers_.front().first <= saved_change; answers_.pop_front()) {
      answered.push_back(std::move(answers_.front().second));
    }
  }
  // The disk takes nothing now: appends them all, with this status.
  void Fail(const absl::Status& status, std::vector<Effects::Answered>& answered);
  // The map that they speak of was given up. Appends them all; a write that was done may be lost (Undecided, waits.h).
  void GiveUp(std::vector<Effects::Answered>& answered);

 private:
  friend struct Inside;  // see node.h

  std::deque<std::pair<uint64_t, Effects::Answered>>
      answers_;  // kMaxWaits that came here at once, and those that waited for more
};

}  // namespace leasemap::core

#include "peer/core/node/held.h"

#include "peer/core/node/waits.h"

namespace leasemap::core {

void Held::Fail(const absl::Status& status, std::vector<Effects::Answered>& answered) {
  for (auto& [change, answer] : answers_) answered.push_back({answer.wait, status, nullptr});
  answers_.clear();
}

void Held::GiveUp(std::vector<Effects::Answered>& answered) {
  for (auto& [change, answer] : answers_) {
    if (answer.status.ok() && answer.entry != nullptr) answer.status = Undecided(*answer.entry);
    answered.push_back(std::move(answer));
  }
  answers_.clear();
}

}  // namespace leasemap::core

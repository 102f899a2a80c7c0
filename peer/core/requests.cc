#include "peer/core/requests.h"

#include "peer/core/bytes.h"
#include "peer/core/limits.h"

namespace leasemap::core {

uint64_t RequestHash(std::string_view holder, std::string_view request_id) {
  std::string name;
  PutString(name, holder);
  PutString(name, request_id);
  const uint64_t hash = Hash64(name);
  return hash == 0 ? 1 : hash;
}

const Requests::Done* Requests::Find(int64_t mono_ms, const std::string& holder, const std::string& request_id) const {
  auto it = done_.find({holder, request_id});
  return it == done_.end() || mono_ms - it->second.mono_ms >= kRequestMs ? nullptr : &it->second.done;
}

void Requests::Add(int64_t mono_ms, const std::string& holder, const std::string& request_id, Done done) {
  while (!order_.empty() &&
         (order_.size() >= kMaxRequests || mono_ms - done_.at(order_.front()).mono_ms >= kRequestMs)) {
    done_.erase(order_.front());
    order_.pop_front();
  }
  if (done_.emplace(Name{holder, request_id}, Kept{std::move(done), mono_ms}).second) {
    order_.emplace_back(holder, request_id);
  }
}

}  // namespace leasemap::core

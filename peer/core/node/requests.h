// Which requests were done here of late, by the name that the caller gave them (request_id), so that a retry is
// answered as the first was instead of being done again.
//
// A retry at another node is found by Entry::request: the hash of holder and request ID that the write carries there.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/node/write_command.h"
#include "peer/core/sync/store.h"

namespace leasemap::core {

// What Entry::request is for a request of this holder; never 0.
uint64_t RequestHash(std::string_view holder, std::string_view request_id);

class Requests {
 public:
  // What was answered to the request of this ID, if it was done: here in the last kRequestMs, or elsewhere and `store`
  // still has the key as it left it. nullopt: it was not done, or has no ID; a null entry: there was nothing to change.
  // REQUEST_INVALID if another request had this ID.
  absl::StatusOr<std::optional<EntryPtr>> FindDone(MonoTime mono, const WriteCommand& command, const Store& store);
  // It was done, with this entry (null: there was nothing to change), which is returned.
  EntryPtr Remember(MonoTime mono, const WriteCommand& command, const EntryPtr& entry);
  // None was done: the map that they changed is not this node's any more.
  void Clear() { done_.clear(), order_.clear(); }
  size_t size() const { return done_.size(); }

 private:
  using Name = std::pair<std::string, std::string>;  // holder, request ID
  struct Done {
    uint64_t fingerprint = 0;  // of all that the request asked for: the same ID must ask for the same
    EntryPtr entry;            // as written, without its value; null: there was nothing to change
    MonoTime mono{};
  };
  const Done* Find(MonoTime mono, const Name& name) const;

  std::map<Name, Done> done_;
  std::deque<Name> order_;  // oldest first, each name of done_ once
};

}  // namespace leasemap::core

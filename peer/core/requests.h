// Which requests were done here of late, by the name that the caller gave them (request_id), so that a retry is
// answered as the first was instead of being done again.
//
// A retry at another node is found by Entry::request: the hash of holder and request ID that the write carries there.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "peer/core/entry.h"

namespace leasemap::core {

// What Entry::request is for a request of this holder; never 0.
uint64_t RequestHash(std::string_view holder, std::string_view request_id);

class Requests {
 public:
  struct Done {
    uint64_t fingerprint = 0;  // of all that the request asked for: the same ID must ask for the same
    EntryPtr entry;            // as written, without its value; null: there was nothing to change
  };

  // The request of this holder and ID, if it was done in the last kRequestMs; null if not.
  const Done* Find(int64_t mono_ms, const std::string& holder, const std::string& request_id) const;
  void Add(int64_t mono_ms, const std::string& holder, const std::string& request_id, Done done);
  size_t size() const { return done_.size(); }

 private:
  using Name = std::pair<std::string, std::string>;  // holder, request ID
  struct Kept {
    Done done;
    int64_t mono_ms;
  };
  std::map<Name, Kept> done_;
  std::deque<Name> order_;  // oldest first, each name of done_ once
};

}  // namespace leasemap::core

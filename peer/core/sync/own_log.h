// A node's own writes of late, by seq, replaced ones too. Every link reads it with a cursor of its own; who falls off
// its start goes on from there and is filled in by a session.
#pragma once

#include <cstdint>
#include <deque>

#include "peer/core/data/check.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {

class OwnLog {
 public:
  explicit OwnLog(size_t max_bytes = kOwnLogBytes, size_t leave_out_bytes = Value::kSharedBytes)
      : max_bytes_(max_bytes), leave_out_bytes_(leave_out_bytes) {}
  // Empty, from seq 1 on: for a new incarnation.
  void Clear() { *this = OwnLog(max_bytes_, leave_out_bytes_); }

  // Entries come with seq rising by one. A large value that an earlier write set is left out: links send the entry
  // without it, and the log must not keep a value alive for as long as it keeps renewals.
  void Append(const EntryPtr& entry) {
    entries_.push_back(WithoutKeptValue(entry, leave_out_bytes_));
    bytes_ += Weight(*entries_.back());
    while (entries_.size() > kOwnLogEntries || (bytes_ > max_bytes_ && entries_.size() > 1)) {
      bytes_ -= Weight(*entries_.front());
      entries_.pop_front();
      ++first_;
    }
  }
  uint64_t first() const { return first_; }                  // the least seq still here
  uint64_t end() const { return first_ + entries_.size(); }  // one above the greatest
  size_t size() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }
  // Only from first() to before end().
  const EntryPtr& at(uint64_t seq) const {
    LEASEMAP_CHECK(seq >= first_ && seq < end(), seq, " of ", first_, " to ", end());
    return entries_[seq - first_];
  }

 private:
  std::deque<EntryPtr> entries_;
  uint64_t first_ = 1;
  size_t bytes_ = 0;
  size_t max_bytes_, leave_out_bytes_;
};

}  // namespace leasemap::core

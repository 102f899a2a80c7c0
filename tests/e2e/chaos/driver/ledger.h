// The file of what was written and what came of it: one line a write that was acknowledged or may have been done. The
// verdict reads it. Fields are divided by tabs:
//
//   outcome  operation key node sent received level holder version token start expire update value
//
// outcome: acked, or doubt (no answer, or none that says whether the write stands); with doubt the fields of the entry
// are missing. sent and received are NowUs; start is in seconds, expire, update and value (when
// that was set) in milliseconds of UTC.
#pragma once

#include <cstdio>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "peer/threads/mutex.h"

namespace leasemap::chaos {

// Any thread may call; one lock guards the file and the counts.
class Ledger {
 public:
  explicit Ledger(const std::string& path) : file_(std::fopen(path.c_str(), "w")) {}
  ~Ledger() {
    if (file_ != nullptr) std::fclose(file_);
  }
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  bool ok() const { return file_ != nullptr; }

  void Line(const std::string& line) {
    const MutexLock lock(mutex_);
    std::fputs(line.c_str(), file_);
  }
  void Flush() {
    const MutexLock lock(mutex_);
    std::fflush(file_);
  }
  void Count(const std::string& what, long by = 1) {
    const MutexLock lock(mutex_);
    counts_[what] += by;
  }
  // "name=3 other=4", in order of names.
  std::string Counts() const {
    const MutexLock lock(mutex_);
    std::string out;
    for (const auto& [name, count] : counts_) absl::StrAppend(&out, out.empty() ? "" : " ", name, "=", count);
    return out;
  }

 private:
  mutable Mutex mutex_;
  std::FILE* const file_;  // a line at a time, under mutex_
  std::map<std::string, long> counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace leasemap::chaos

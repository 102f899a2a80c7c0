// The audit log: one line for each write, each call of an administrator, and each refusal for lack of rights. It says
// who did it, to which key, with what version, and from where; never a value or a token.
//
//   2026-01-31T12:00:00.123Z info {"call":"Set","principal":"alice","key":"config/a","holder":"alice",
//                                  "version":"…","outcome":"OK","peer":"ipv4:10.0.0.7:41234"}
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "peer/core/data/mono_time.h"
#include "peer/threads/mutex.h"
#include "spdlog/logger.h"

namespace leasemap::rpc {

class Audit {
 public:
  // What a line says. Empty members are left out of it.
  struct Line {
    std::string_view call;       // as "Set"
    std::string_view principal;  // nobody knows whose call it is
    std::string_view peer;       // the connection, as gRPC names it
    std::string_view key, holder;
    std::string version;    // of the entry that was written
    std::string_view node;  // that the call is about
  };

  // A logger whose lines are the members of one JSON object (JsonLines in server/log.h puts them into one).
  explicit Audit(std::shared_ptr<spdlog::logger> log) : log_(std::move(log)) {}

  // Any thread.
  void Write(const Line& line, const absl::Status& outcome);
  // A call was refused for lack of rights. Anyone can make refusals: of one second the first hundred are written, and
  // the next line of a refusal says how many were not.
  void Refuse(const Line& line, const absl::Status& why);

 private:
  static constexpr int kRefusalsPerSecond = 100;

  const std::shared_ptr<spdlog::logger> log_;
  Mutex mutex_;
  int64_t second_ ABSL_GUARDED_BY(mutex_) = 0;  // of the refusals that are counted
  int refusals_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace leasemap::rpc

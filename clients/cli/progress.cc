#include "clients/cli/progress.h"

#include <iostream>
#include <utility>

#include "absl/time/clock.h"
#include "clients/cli/terminal.h"

namespace leasemap::cli {
namespace {

// Often enough to look alive, and seldom enough to cost nothing.
constexpr absl::Duration kPause = absl::Milliseconds(200);
// To the line's beginning, and erase to its end (ECMA-48: EL).
constexpr char kEraseLine[] = "\r\x1b[K";

}  // namespace

Progress::Progress(std::string what) : what_(std::move(what)), wanted_(IsTerminal(Stream::kError)) {}

void Progress::Show(uint64_t count) {
  if (!wanted_ || absl::Now() < next_) return;
  next_ = absl::Now() + kPause;
  shown_ = true;
  std::cerr << kEraseLine << count << " " << what_ << std::flush;
}

void Progress::Clear() {
  if (shown_) std::cerr << kEraseLine << std::flush;
  shown_ = false;
}

}  // namespace leasemap::cli

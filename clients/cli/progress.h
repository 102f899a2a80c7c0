// Shows on standard error how far a long command has come, where that is a terminal. Elsewhere it shows nothing.
#ifndef LEASEMAP_CLIENTS_CLI_PROGRESS_H_
#define LEASEMAP_CLIENTS_CLI_PROGRESS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace leasemap::cli {

class Progress {
 public:
  // `what` follows the number, as in "1200 keys written".
  explicit Progress(std::string what);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Shows the number, a few times a second at most.
  void Show(uint64_t count);
  // Takes the line off the terminal. Call it before anything else is printed there.
  void Clear();

 private:
  const std::string what_;
  const bool wanted_;
  bool shown_ = false;  // the line is on the terminal now
  absl::Time next_ = absl::InfinitePast();
};

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_PROGRESS_H_

// What a command waits for that holds a lease while another program runs: signals, a time, a wake-up of another thread.
// It all comes as file descriptors to one poll, so nothing looks again and again.
#ifndef LEASEMAP_CLIENTS_CLI_WAITING_H_
#define LEASEMAP_CLIENTS_CLI_WAITING_H_

#include <signal.h>

#include <optional>

#include "absl/time/time.h"
#include "clients/cli/core/guard.h"

namespace leasemap::cli {

// The time since the machine was started, also while it slept.
Moment BootTime();

// Closes the descriptor when it goes.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  void Close();

 private:
  int number_;
};

// Takes TERM, INT, HUP, QUIT and CHLD as a descriptor. Make it before any thread starts: those inherit what is blocked.
class Signals {
 public:
  Signals();
  ~Signals();  // unblocks them again
  int descriptor() const { return descriptor_.number(); }
  // The next one that came; nothing if none did.
  std::optional<int> Take();
  // What was blocked before, and what SIGPIPE did, for a program that is started.
  const sigset_t& before() const { return before_; }
  const struct sigaction& pipe_before() const { return pipe_before_; }

 private:
  sigset_t before_;
  struct sigaction pipe_before_ {};
  Descriptor descriptor_;
};

// Set by any thread, seen by the one that waits.
class Wake {
 public:
  Wake();
  int descriptor() const { return descriptor_.number(); }
  void Set();
  // True if it was set.
  bool Clear();

 private:
  Descriptor descriptor_;
};

// Becomes readable at a time, also if the machine slept meanwhile.
class Timer {
 public:
  Timer();
  int descriptor() const { return descriptor_.number(); }
  // absl::InfiniteDuration(): never.
  void At(Moment when);

 private:
  Descriptor descriptor_;
};

// Waits until one of these can be read; -1 is none. The caller asks each of them whether it is the one.
void WaitForAny(int first, int second = -1, int third = -1, int fourth = -1);

// Whether a read of it would not wait.
bool CanRead(int descriptor);

// Ends this process by the signal, as if it had not been blocked.
[[noreturn]] void EndBy(int signal);

// What a shell makes of a program that a signal ended.
constexpr int CodeOfSignal(int signal) { return 128 + signal; }

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_WAITING_H_

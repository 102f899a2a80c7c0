#include "clients/cli/waiting.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace leasemap::cli {
namespace {

sigset_t Taken() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

sigset_t Blocked() {
  sigset_t set = Taken();
  sigaddset(&set, SIGTTOU);  // it takes its terminal back from a command that had it
  sigaddset(&set, SIGTTIN);  // in the background, reading the terminal fails and stops nothing
  return set;
}

sigset_t Block() {
  const sigset_t set = Blocked();
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &set, &before);
  return before;
}

int OpenSignals() {
  const sigset_t set = Taken();
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

}  // namespace

Moment BootTime() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::DurationFromTimespec(now);
}

Descriptor::~Descriptor() { Close(); }

void Descriptor::Close() {
  if (number_ >= 0) close(number_);
  number_ = -1;
}

Signals::Signals() : before_(Block()), descriptor_(OpenSignals()) { sigaction(SIGPIPE, nullptr, &pipe_before_); }

Signals::~Signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

std::optional<int> Signals::Take() {
  signalfd_siginfo info{};
  if (read(descriptor_.number(), &info, sizeof info) != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

Wake::Wake() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Wake::Set() {
  const uint64_t one = 1;
  // It fails only when it is set already, 2^64 times.
  [[maybe_unused]] const ssize_t written = write(descriptor_.number(), &one, sizeof one);
}

bool Wake::Clear() {
  uint64_t count = 0;
  return read(descriptor_.number(), &count, sizeof count) == sizeof count;
}

Timer::Timer() : descriptor_(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {}

void Timer::At(Moment when) {
  itimerspec at{};
  // Zero would switch it off.
  if (when != absl::InfiniteDuration()) at.it_value = absl::ToTimespec(std::max(when, absl::Nanoseconds(1)));
  timerfd_settime(descriptor_.number(), TFD_TIMER_ABSTIME, &at, nullptr);
}

bool CanRead(int descriptor) {
  pollfd one{descriptor, POLLIN, 0};
  return poll(&one, 1, 0) == 1;
}

void EndBy(int signal) {
  ::signal(signal, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  raise(signal);
  _exit(CodeOfSignal(signal));  // it ended the process before
}

void WaitForAny(int first, int second, int third, int fourth) {
  pollfd all[] = {{first, POLLIN, 0}, {second, POLLIN, 0}, {third, POLLIN, 0}, {fourth, POLLIN, 0}};
  poll(all, std::size(all), -1);  // a call that a signal ended counts as one that found something
}

}  // namespace leasemap::cli

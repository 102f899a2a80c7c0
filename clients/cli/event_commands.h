// Runs the command of `watch --exec`, for one event after another. Commands and signals are the main thread's; the
// watch has a thread of its own.
#ifndef LEASEMAP_CLIENTS_CLI_EVENT_COMMANDS_H_
#define LEASEMAP_CLIENTS_CLI_EVENT_COMMANDS_H_

#include <atomic>
#include <functional>
#include <future>
#include <string>

#include "clients/cli/options.h"
#include "clients/cli/waiting.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::cli {

class EventCommands {
 public:
  // Before any other thread starts.
  explicit EventCommands(const Options& options) : options_(options) {}
  EventCommands(const EventCommands&) = delete;
  EventCommands& operator=(const EventCommands&) = delete;

  // Runs `watch` on a thread of its own, and returns what it returns. A signal that comes while no command runs ends
  // the process.
  int Serve(const std::function<int()>& watch);

  // Called by the watch: runs the command for the event, and waits for its end. `done` is called after it ended with 0
  // (or with anything, with --keep-going), before a signal can end the process. Returns 0, or the exit code with which
  // the watch ends: the command's own, or 128 and the signal that came meanwhile and was passed on.
  int Run(const v1::Event& event, const std::string& cursor, const std::function<void()>& done);

 private:
  struct Asked {
    const v1::Event& event;
    const std::string& cursor;
    const std::function<void()>& done;
    std::promise<int> code = {};
  };

  int Carry(const Asked& asked);

  const Options& options_;
  Signals signals_;
  Wake wake_;                            // the watch asks, or has ended
  std::atomic<Asked*> asked_ = nullptr;  // one at most: the watch waits for its end
  std::atomic<bool> over_ = false;
};

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_EVENT_COMMANDS_H_

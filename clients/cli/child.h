// A command that was started, and the processes that it starts: one group, which is signalled as one.
#ifndef LEASEMAP_CLIENTS_CLI_CHILD_H_
#define LEASEMAP_CLIENTS_CLI_CHILD_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "clients/cli/core/event_variables.h"
#include "clients/cli/waiting.h"

namespace leasemap::cli {

struct Program {
  std::vector<std::string> arguments;  // the first one is looked for on the PATH
  Variables variables;                 // beside those of this process, or in their place
  int input = -1;                      // its standard input; -1: that of this process
  bool adopts =
      false;  // processes whose parent ended become children of this one, which is so told when gone() changes
};

// Belongs to the thread that started it. If this process is killed, the kernel kills the command.
class Child {
 public:
  // The exit codes for a command that cannot be run, as those of a shell.
  static constexpr int kCannotRun = 126;
  static constexpr int kNotFound = 127;

  // Starts it. Null if that failed: then it says so on stderr, and `code` is one of the two above. If standard input
  // and output are a terminal whose foreground this process is, the command gets the terminal.
  static std::unique_ptr<Child> Start(const Program& program, const Signals& signals, int& code);
  // Takes the terminal back.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Looks what became of it. Call it after each SIGCHLD.
  void Reap();
  bool ended() const { return ended_; }
  // None of its group is left.
  bool gone() const { return gone_; }
  // Its exit code, or 128 and the signal that ended it. Once it ended.
  int code() const { return code_; }

  // Sends it to the group; and CONT after it, since a stopped process would not see it.
  void Send(int signal);
  // Ctrl-Z stopped the command, which has the terminal: stops this process likewise, and returns once it goes on. The
  // command does not go on before Continue. False if nothing stopped it so.
  bool FollowStop();
  void Continue();

 private:
  Child(pid_t process, bool has_terminal) : process_(process), has_terminal_(has_terminal) {}

  const pid_t process_;  // and its group
  const bool has_terminal_;
  bool ended_ = false;
  bool gone_ = false;
  bool is_stopped_ = false;
  int code_ = 0;
};

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CHILD_H_

#include "clients/cli/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "clients/cli/core/text.h"
#include "clients/cli/terminal.h"

namespace leasemap::cli {
namespace {

// What the new process needs. All of it is made before the fork: of several threads only the one that forks is there
// afterwards, so that nothing may be allocated or locked.
struct Plan {
  std::vector<std::string> texts;
  std::vector<char*> arguments, variables;
  int input = -1;
  bool takes_terminal = false;
  sigset_t mask;
  struct sigaction pipe {};
  pid_t parent = 0;
  int report = -1;  // where the new process says why it could not run the command
};

Plan MakePlan(const Program& program, const Signals& signals) {
  Plan plan;
  plan.texts = program.arguments;
  const auto is_replaced = [&program](std::string_view variable) {
    for (const auto& [name, value] : program.variables) {
      if (variable.substr(0, variable.find('=')) == name) return true;
    }
    return false;
  };
  for (char** each = environ; *each != nullptr; ++each) {
    if (!is_replaced(*each)) plan.texts.emplace_back(*each);
  }
  for (const auto& [name, value] : program.variables) {
    if (value) plan.texts.push_back(absl::StrCat(name, "=", *value));
  }
  for (size_t i = 0; i < plan.texts.size(); ++i) {
    (i < program.arguments.size() ? plan.arguments : plan.variables).push_back(plan.texts[i].data());
  }
  plan.arguments.push_back(nullptr);
  plan.variables.push_back(nullptr);
  plan.input = program.input;
  plan.takes_terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && program.input < 0 &&
                        tcgetpgrp(STDIN_FILENO) == getpgrp();
  plan.mask = signals.before();
  plan.pipe = signals.pipe_before();
  plan.parent = getpid();
  return plan;
}

// In the new process. Only calls that are safe after a fork of several threads (signal-safety(7)), and execvpe, which
// neither allocates nor locks since glibc 2.24.
[[noreturn]] void Become(const Plan& plan) {
  setpgid(0, 0);
  // The command must not go on without the one who keeps its lease. It is the thread that forks that counts; it stays.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != plan.parent) _exit(Child::kCannotRun);  // it died before that
  if (plan.takes_terminal) tcsetpgrp(STDIN_FILENO, getpid());
  if (plan.input >= 0) dup2(plan.input, STDIN_FILENO);
  sigaction(SIGPIPE, &plan.pipe, nullptr);  // a library may ignore it
  pthread_sigmask(SIG_SETMASK, &plan.mask, nullptr);
  execvpe(plan.arguments[0], plan.arguments.data(), plan.variables.data());
  const int why = errno;
  [[maybe_unused]] const ssize_t written = write(plan.report, &why, sizeof why);
  _exit(Child::kCannotRun);
}

int SayCannotRun(const std::string& name, int why) {
  const bool not_found = why == ENOENT;
  Complain() << "cannot run " << Escape(name) << " (" << std::generic_category().message(why) << "); "
             << (not_found ? "name a program that is on the PATH, or its whole path"
                           : "is it a program that this user may run?")
             << std::endl;
  return not_found ? Child::kNotFound : Child::kCannotRun;
}

}  // namespace

std::unique_ptr<Child> Child::Start(const Program& program, const Signals& signals, int& code) {
  Plan plan = MakePlan(program, signals);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) {
    code = SayCannotRun(program.arguments[0], errno);
    return nullptr;
  }
  Descriptor reader(report[0]), writer(report[1]);
  plan.report = writer.number();
  if (program.adopts) prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t process = fork();
  if (process == 0) Become(plan);
  if (process < 0) {
    code = SayCannotRun(program.arguments[0], errno);
    return nullptr;
  }
  setpgid(process, process);  // whichever of the two is first
  writer.Close();
  int why = 0;
  ssize_t got = 0;
  do {
    got = read(reader.number(), &why, sizeof why);  // nothing comes when the command runs
  } while (got < 0 && errno == EINTR);
  std::unique_ptr<Child> child(new Child(process, plan.takes_terminal));
  if (got != sizeof why) return child;
  waitpid(process, nullptr, 0);
  code = SayCannotRun(program.arguments[0], why);
  return nullptr;
}

Child::~Child() {
  if (has_terminal_) tcsetpgrp(STDIN_FILENO, getpgrp());
}

void Child::Reap() {
  for (;;) {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG) != 0 || info.si_pid == 0) break;
    const bool is_end = info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
    if (info.si_pid != process_) continue;
    is_stopped_ = !is_end;
    if (!is_end) continue;
    ended_ = true;
    code_ = info.si_code == CLD_EXITED ? info.si_status : CodeOfSignal(info.si_status);
  }
  gone_ = ended_ && kill(-process_, 0) != 0 && errno == ESRCH;
}

void Child::Send(int signal) {
  kill(-process_, signal);
  if (signal != SIGKILL) kill(-process_, SIGCONT);
  is_stopped_ = false;
}

bool Child::FollowStop() {
  if (!is_stopped_ || !has_terminal_ || ended_) return false;
  tcsetpgrp(STDIN_FILENO, getpgrp());
  raise(SIGSTOP);
  return true;
}

void Child::Continue() {
  if (has_terminal_ && tcgetpgrp(STDIN_FILENO) == getpgrp()) tcsetpgrp(STDIN_FILENO, process_);
  is_stopped_ = false;
  kill(-process_, SIGCONT);
}

}  // namespace leasemap::cli

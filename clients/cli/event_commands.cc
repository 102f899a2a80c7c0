#include "clients/cli/event_commands.h"

#include <sys/mman.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_join.h"
#include "clients/cli/child.h"
#include "clients/cli/core/event_variables.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/text.h"
#include "clients/cli/terminal.h"

namespace leasemap::cli {
namespace {

// A file without a name that has these bytes: a pipe would hold 64 KiB, and somebody would have to write the rest while
// the command runs. -1 if the system has no memory for it.
int FileOf(const std::string& bytes) {
  const int file = memfd_create("value", MFD_CLOEXEC);
  if (file < 0) return file;
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t written = write(file, bytes.data() + done, bytes.size() - done);
    if (written <= 0) {
      close(file);
      return -1;
    }
    done += static_cast<size_t>(written);
  }
  lseek(file, 0, SEEK_SET);
  return file;
}

}  // namespace

int EventCommands::Serve(const std::function<int()>& watch) {
  int code = kDone;  // read after the thread was joined
  std::thread thread([&] {
    code = watch();
    over_ = true;
    wake_.Set();
  });
  while (!over_) {
    WaitForAny(signals_.descriptor(), wake_.descriptor());
    wake_.Clear();
    if (Asked* asked = asked_.exchange(nullptr)) {
      asked->code.set_value(Carry(*asked));
      continue;
    }
    while (const std::optional<int> signal = signals_.Take()) {
      if (*signal != SIGCHLD) EndBy(*signal);
    }
  }
  thread.join();
  return code;
}

int EventCommands::Run(const v1::Event& event, const std::string& cursor, const std::function<void()>& done) {
  Asked asked{.event = event, .cursor = cursor, .done = done};
  std::future<int> code = asked.code.get_future();
  asked_ = &asked;
  wake_.Set();
  return code.get();
}

int EventCommands::Carry(const Asked& asked) {
  const Descriptor value(FileOf(ValueOf(asked.event.entry())));
  if (value.number() < 0) {
    Complain() << "there is no memory for a value that the command would read; start again when there is" << std::endl;
    return kRefused;
  }
  Program program{.arguments = {"/bin/sh", "-c", options_.exec},
                  .variables = VariablesOf(asked.event, asked.cursor),
                  .input = value.number()};
  for (auto& variable : ServerVariables(options_)) program.variables.push_back(std::move(variable));
  int code = 0, signal = 0;
  const std::unique_ptr<Child> child = Child::Start(program, signals_, code);
  if (child == nullptr) return code;
  while (!child->ended()) {
    WaitForAny(signals_.descriptor());
    while (const std::optional<int> came = signals_.Take()) {
      if (*came == SIGCHLD) continue;
      signal = *came;
      child->Send(signal);
    }
    child->Reap();
  }
  if (child->code() != 0) {
    Complain() << "the command for key \"" << Escape(KeyOf(asked.event.entry())) << "\" ended with " << child->code()
               << std::endl;
  }
  const bool goes_on = child->code() == 0 || (options_.keep_going && signal == 0);
  if (!goes_on) return child->code();
  asked.done();
  return signal == 0 ? kDone : CodeOfSignal(signal);
}

}  // namespace leasemap::cli

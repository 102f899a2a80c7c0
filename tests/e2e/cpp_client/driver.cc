// The driver lets the end-to-end tests, which are in Python and have the nodes in hand, use the C++ client: a command a
// line on standard input, in JSON, and its answer on standard output, in the order in which they are done. A client,
// map, watch or lease that a command makes gets the number that the command had. The Go client's driver takes the same
// commands.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <thread>

#include "tests/e2e/cpp_client/things.h"

namespace leasemap::e2e {
namespace {

class Driver {
 public:
  void Run(const Command& command) {
    Thing on, made;
    {
      absl::MutexLock lock(&mutex_);
      on = things_[command.on];
    }
    const Answer answer = command.op == "new"          ? New(command, made)
                          : command.op == "goroutines" ? Answer{.result = Number(Threads())}
                                                       : Do(command, on, made);
    absl::MutexLock lock(&mutex_);
    if (answer.status.ok()) things_[command.id] = made;
    std::cout << AnswerLine(command.id, answer.result, ShowError(answer.status, answer.failed)) << std::endl;
  }

 private:
  static Answer New(const Command& command, Thing& made) {
    ClientOptions options{.holder = command.holder, .lease = command.lease};
    if (command.timeout) options.timeout = *command.timeout;
    const std::vector<std::string> endpoints = {command.endpoints};
    const auto client = std::make_shared<Client>(endpoints, options);
    made = client;
    return {.result = Text(client->holder()), .status = client->status()};
  }

  // What runs as the Go client's goroutines do: the threads of the client, which have its name.
  static int Threads() {
    int found = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::ifstream file(task.path() / "comm");
      std::string name;
      std::getline(file, name);
      found += name.rfind("leasemap-", 0) == 0 ? 1 : 0;
    }
    return found;
  }

  absl::Mutex mutex_;  // guards the things, and standard output
  std::map<int, Thing> things_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace
}  // namespace leasemap::e2e

int main() {
  // The tests end this process by a signal; threads under way need the driver until then.
  auto* driver = new leasemap::e2e::Driver;
  for (std::string line; std::getline(std::cin, line);) {
    std::thread([driver, command = leasemap::e2e::ParseCommand(line)] { driver->Run(command); }).detach();
  }
}

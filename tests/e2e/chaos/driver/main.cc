// The driver of the chaos test: the load and the watchers, told line by line on stdin what to do, answering each with
// one line on stdout.
//
//   chaos_driver --nodes n1=HOST:PORT,… --ledger FILE [--rate 2000] [--majority 50] [--brief 50] [--watchers 6] [--keys
//   4000]
//   [--seed 1]
//
//   on                  the load begins
//   off                 the load ends; answered when no write is under way and the ledger is written
//   away NODE           watchers at this node move on
//   dump FILE           writes what the watchers know into FILE
//   counts              answers the counts: "name=number …"
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "absl/strings/numbers.h"
#include "peer/threads/mutex.h"
#include "tests/e2e/chaos/driver/load.h"
#include "tests/e2e/chaos/driver/watcher.h"

namespace leasemap::chaos {
namespace {

constexpr int kMovesEveryMs = 500;  // one of the watchers moves, on average, so often

// Moves watchers at random until it is destroyed.
class Mover {
 public:
  Mover(std::vector<std::unique_ptr<Watcher>>& watchers, uint64_t seed) : watchers_(watchers), random_(seed) {
    thread_ = std::thread([this] { Run(); });
  }
  ~Mover() {
    {
      const MutexLock lock(mutex_);
      quit_ = true;
    }
    changed_.NotifyAll();
    thread_.join();
  }

 private:
  void Run() {
    const MutexLock lock(mutex_);
    while (!watchers_.empty()) {
      const auto end = Condition::Clock::now() + std::chrono::milliseconds(random_() % (2 * kMovesEveryMs));
      while (!quit_ && changed_.WaitUntil(mutex_, end)) {
      }
      if (quit_) return;
      watchers_[random_() % watchers_.size()]->Move();
    }
  }

  std::vector<std::unique_ptr<Watcher>>& watchers_;
  std::mt19937_64 random_;
  Mutex mutex_;
  Condition changed_;
  bool quit_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

class Driver {
 public:
  Driver(std::vector<Endpoint> nodes, const std::string& ledger, const LoadOptions& options, int watchers)
      : nodes_(std::move(nodes)), ledger_(ledger), load_(nodes_, ledger_, options) {
    for (int i = 1; i <= watchers; ++i) {
      watchers_.push_back(
          std::make_unique<Watcher>(absl::StrCat("w", i), i % 2 == 0, nodes_, ledger_, options.seed + i));
    }
    for (Endpoint& node : nodes_) listeners_.push_back(std::make_unique<LossListener>(node, ledger_));
    mover_ = std::make_unique<Mover>(watchers_, options.seed);
  }
  bool ok() const { return ledger_.ok(); }

  std::string Obey(const std::string& line) {
    std::istringstream words(line);
    std::string command, argument;
    words >> command >> argument;
    if (command == "on") {
      load_.On();
    } else if (command == "off") {
      load_.Off();
      ledger_.Flush();
    } else if (command == "away") {
      for (auto& watcher : watchers_) watcher->AwayFrom(argument);
    } else if (command == "dump") {
      std::string text;
      for (const auto& watcher : watchers_) watcher->Dump(&text);
      std::ofstream file(argument);
      file << text;
      if (!file.flush()) return "wrong: cannot write " + argument;
    } else if (command == "counts") {
      return "ok " + ledger_.Counts();
    } else {
      return "wrong: " + line;
    }
    return "ok";
  }

 private:
  std::vector<Endpoint> nodes_;
  Ledger ledger_;
  Load load_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::vector<std::unique_ptr<LossListener>> listeners_;
  std::unique_ptr<Mover> mover_;
};

int Main(int argc, char** argv) {
  std::map<std::string, std::string> given = {{"--rate", "2000"},  {"--majority", "50"}, {"--brief", "50"},
                                              {"--watchers", "6"}, {"--keys", "4000"},   {"--seed", "1"},
                                              {"--nodes", ""},     {"--ledger", ""}};
  for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  LoadOptions options;
  int watchers = 0;
  const bool numbers =
      absl::SimpleAtoi(given["--rate"], &options.rate) && absl::SimpleAtoi(given["--majority"], &options.majority) &&
      absl::SimpleAtoi(given["--brief"], &options.brief) && absl::SimpleAtoi(given["--keys"], &options.keys) &&
      absl::SimpleAtoi(given["--watchers"], &watchers) && absl::SimpleAtoi(given["--seed"], &options.seed);
  auto nodes = MakeEndpoints(given["--nodes"]);
  if (!numbers || nodes.empty() || given.size() != 8 || argc % 2 == 0 || options.rate < 1 || options.keys < 10) {
    std::cerr << "chaos_driver: wrong use; the top of its main.cc says how\n";
    return 2;
  }
  Driver driver(std::move(nodes), given["--ledger"], options, watchers);
  if (!driver.ok()) {
    std::cerr << "chaos_driver: cannot write " << given["--ledger"] << "\n";
    return 1;
  }
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) std::cout << driver.Obey(line) << std::endl;
  return 0;
}

}  // namespace
}  // namespace leasemap::chaos

int main(int argc, char** argv) { return leasemap::chaos::Main(argc, argv); }

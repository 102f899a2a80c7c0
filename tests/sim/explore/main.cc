// explore: all interleavings of a small cluster of real nodes, or the replay of one. See README.md.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/sim/explore/search.h"

namespace {

using leasemap::explore::Found;
using leasemap::explore::Limits;
using leasemap::explore::Move;
using leasemap::explore::Scope;

int Usage() {
  std::fputs(
      "usage: explore [--writes N] [--steps N] [--cuts N] [--crashes N] [--writers N] [--cut-of N] [--crash-of N]\n"
      "               [--handshakes N] [--deletes 0|1] [--acks 0|1] [--half-open 0|1] [--both-dial 0|1] [--turn 0|1]\n"
      "               [--reduce 0|1] [--states N] [--verbose 0|1] [--replay MOVES]\n"
      "Explores everything that three linked nodes can do within these bounds (N: 0 to 9). --replay tells the story "
      "of\n"
      "the moves that a violation was printed with, within the same bounds.\n",
      stderr);
  return 2;
}

struct Options {
  Scope scope;
  Limits limits;
  bool verbose = false, replay = false;
  std::vector<Move> moves;
};

bool ReadNumber(const char* text, uint64_t most, uint64_t* out) {
  char* end = nullptr;
  *out = std::strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && *end == '\0' && *out <= most;
}

bool ReadFlag(const std::string& flag, const char* value, Options& options) {
  Scope& scope = options.scope;
  const struct {
    const char* name;
    int* number;
  } numbers[] = {{"--writes", &scope.writes},     {"--steps", &scope.steps},           {"--cuts", &scope.cuts},
                 {"--crashes", &scope.crashes},   {"--handshakes", &scope.handshakes}, {"--cut-of", &scope.cut_of},
                 {"--crash-of", &scope.crash_of}, {"--writers", &scope.writers}};
  const struct {
    const char* name;
    bool* yes;
  } switches[] = {{"--deletes", &scope.deletes},  {"--half-open", &scope.half_open}, {"--both-dial", &scope.both_dial},
                  {"--turn", &scope.turn},        {"--reduce", &scope.reduce},       {"--acks", &scope.acks},
                  {"--verbose", &options.verbose}};
  uint64_t n = 0;
  for (const auto& one : numbers) {
    if (flag != one.name) continue;
    if (!ReadNumber(value, 9, &n)) return false;
    *one.number = static_cast<int>(n);
    return true;
  }
  for (const auto& one : switches) {
    if (flag != one.name) continue;
    if (!ReadNumber(value, 1, &n)) return false;
    *one.yes = n == 1;
    return true;
  }
  if (flag == "--states") return ReadNumber(value, 1'000'000'000, &options.limits.states);
  options.replay = flag == "--replay";
  return options.replay && leasemap::explore::Read(value, options.moves);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc || !ReadFlag(argv[i], argv[i + 1], options)) return Usage();
  }
  if (options.replay) {
    const std::string story = Replay(options.scope, options.moves);
    std::fputs(story.c_str(), stdout);
    return story.find("violation: ") == std::string::npos ? 0 : 1;
  }
  const Found found = Explore(options.scope, options.limits, [&](const Found& so_far) {
    if (options.verbose) std::printf("%s\n", so_far.Summary().c_str()), std::fflush(stdout);
  });
  if (!found.fault.empty()) {
    std::printf("VIOLATION %s\nthe shortest way to it:\n%sreplay: explore%s --replay %s\n", found.fault.c_str(),
                Replay(options.scope, found.moves).c_str(), Flags(options.scope).c_str(), Write(found.moves).c_str());
  }
  std::printf("%s\n", found.Summary().c_str());
  if (!found.complete && found.fault.empty()) {
    std::printf("the limit of %llu states was reached: NOT all was explored; narrow the bounds or raise --states\n",
                static_cast<unsigned long long>(options.limits.states));
  }
  return found.complete ? 0 : 1;
}

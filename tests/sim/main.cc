// Replays one simulated run: sim --seed 7 --nodes 50 --scenario faults [--tail 200] [--seeds 100]
// With --measure SECONDS it says how fast hours are played, on two threads, with 5 and with 50 nodes.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "tests/sim/scenario.h"

namespace {

int Usage() {
  std::string names;
  for (const auto& name : leasemap::sim::Scenarios()) names += " " + name;
  std::fprintf(
      stderr,
      "usage: sim [--seed N] [--nodes N] [--scenario NAME] [--tail LINES] [--seeds COUNT] [--measure SECONDS]\n"
      "  --seeds: so many seeds from --seed on, one line each; without it one run, and the tail of its trace\n"
      "  scenarios:%s\n",
      names.c_str());
  return 2;
}

bool ReadNumber(const char* text, uint64_t most, uint64_t* out) {
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), *out);
  return error == std::errc() && *end == 0 && *out <= most;
}

void Print(const leasemap::sim::RunOptions& options, const leasemap::sim::RunResult& result, uint64_t tail) {
  const auto& lines = result.lines;
  for (size_t i = lines.size() - std::min<size_t>(lines.size(), tail); i < lines.size(); ++i) {
    std::printf("%s\n", lines[i].c_str());
  }
  std::printf(
      "seed %llu, %d nodes, %s: %s; trace %016llx, %llu events, %llu writes, %llu refused, %llu acked, %llu races, "
      "%llu won, %llu watched, %llu moves, "
      "%llu passes, %llu expired, %llu cut off, %llu yields, %llu takeovers, maps equal after %lld ms, agreed after "
      "%lld ms\n",
      static_cast<unsigned long long>(options.seed), options.nodes, options.scenario.c_str(),
      result.failure.empty() ? "ok" : ("FAILED " + result.failure).c_str(),
      static_cast<unsigned long long>(result.hash), static_cast<unsigned long long>(result.events),
      static_cast<unsigned long long>(result.writes), static_cast<unsigned long long>(result.refused),
      static_cast<unsigned long long>(result.acked), static_cast<unsigned long long>(result.races),
      static_cast<unsigned long long>(result.won), static_cast<unsigned long long>(result.watched),
      static_cast<unsigned long long>(result.moves), static_cast<unsigned long long>(result.passes),
      static_cast<unsigned long long>(result.expired), static_cast<unsigned long long>(result.cut_offs),
      static_cast<unsigned long long>(result.yields), static_cast<unsigned long long>(result.takeovers),
      static_cast<long long>(result.maps_ms), static_cast<long long>(result.settled_ms));
}

// Runs of the hours scenario on two threads until so many seconds are over; what was begun is ended.
bool Measure(int nodes, uint64_t seconds) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const double cpu_begin = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  std::atomic<uint64_t> next_seed{1}, runs{0}, failed{0}, writes{0}, events{0};
  std::atomic<int64_t> virtual_ms{0};
  std::vector<std::thread> threads;
  for (int n = 0; n < 2; ++n) {
    threads.emplace_back([&] {
      while (Clock::now() - begin < std::chrono::seconds(seconds)) {
        leasemap::sim::RunOptions options;
        options.seed = next_seed++;
        options.nodes = nodes;
        options.scenario = "hours";
        const auto result = leasemap::sim::Run(options);
        ++runs;
        failed += !result.failure.empty();
        writes += result.writes;
        events += result.events;
        virtual_ms += result.virtual_ms;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const double minutes = std::chrono::duration<double>(Clock::now() - begin).count() / 60;
  const double cpu_minutes = (static_cast<double>(std::clock()) / CLOCKS_PER_SEC - cpu_begin) / 60;
  const double node_hours = static_cast<double>(virtual_ms) * nodes / 3'600'000;
  std::printf(
      "%d nodes: %.0f node-hours a minute on two threads (%.0f a minute of CPU time); %llu runs, %llu failed, %.0f "
      "node-hours, %llu events, %llu writes\n",
      nodes, node_hours / minutes, node_hours / cpu_minutes, static_cast<unsigned long long>(runs.load()),
      static_cast<unsigned long long>(failed.load()), node_hours, static_cast<unsigned long long>(events.load()),
      static_cast<unsigned long long>(writes.load()));
  return failed == 0 && runs > 0;
}

}  // namespace

int main(int argc, char** argv) {
  leasemap::sim::RunOptions options;
  uint64_t seeds = 0, tail = 200, nodes = 5, measure = 0;
  for (int i = 1; i < argc; i += 2) {
    const std::string flag = argv[i];
    if (i + 1 == argc) return Usage();
    const char* value = argv[i + 1];
    bool ok = true;
    if (flag == "--scenario") {
      options.scenario = value;
      ok = false;
      for (const auto& name : leasemap::sim::Scenarios()) ok |= name == options.scenario;
    } else if (flag == "--seed") {
      ok = ReadNumber(value, UINT64_MAX, &options.seed);
    } else if (flag == "--nodes") {
      ok = ReadNumber(value, 1000, &nodes) && nodes > 0;
    } else if (flag == "--tail") {
      ok = ReadNumber(value, UINT64_MAX, &tail);
    } else if (flag == "--measure") {
      ok = ReadNumber(value, 3600, &measure) && measure > 0;
    } else {
      ok = flag == "--seeds" && ReadNumber(value, UINT64_MAX, &seeds);
    }
    if (!ok) return Usage();
  }
  if (measure > 0) return Measure(5, measure) && Measure(50, measure) ? 0 : 1;
  options.nodes = static_cast<int>(nodes);
  options.keep_lines = seeds == 0;
  bool failed = false;
  for (uint64_t n = 0; n < std::max<uint64_t>(seeds, 1); ++n, ++options.seed) {
    const auto result = leasemap::sim::Run(options);
    Print(options, result, tail);
    failed |= !result.failure.empty();
  }
  return failed ? 1 : 0;
}

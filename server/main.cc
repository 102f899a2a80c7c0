// leasemapd: one node of a Leasemap cluster.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <thread>

#include "CLI/CLI.hpp"
#include "asio/ip/host_name.hpp"
#include "google/protobuf/stubs/logging.h"
#include "server/environment.h"
#include "server/host/memory.h"
#include "server/options.h"
#include "server/rpc/server.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

namespace {

constexpr int kWrongUse = 2;
constexpr int kFailed = 1;

// Puts each value into an argument of its own: CLI11 would take the argument after `--name=` for the value, and a flag
// that is true or false may stand without one.
std::vector<std::string> Arguments(int argc, char** argv) {
  std::vector<std::string> out;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    const bool empty_value = argument.starts_with("--") && argument.find('=') == argument.size() - 1;
    if (empty_value) argument.pop_back();
    const auto& flags = leasemap::Flags();
    const bool bare = std::any_of(flags.begin(), flags.end(), [&](const auto& flag) {
      return flag.is_bool && argument == "--" + std::string(flag.name);
    });
    out.push_back(std::move(argument));
    if (empty_value) {
      out.emplace_back();
    } else if (bare) {
      out.emplace_back("true");
    }
  }
  return {out.rbegin(), out.rend()};  // CLI11 takes a vector from its end
}

void SetLogging() {
  spdlog::set_default_logger(spdlog::stderr_color_mt("leasemapd"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  spdlog::flush_on(spdlog::level::info);
  // Protobuf logs a line for each request whose text is not UTF-8: at most ten are worth having.
  google::protobuf::SetLogHandler([](google::protobuf::LogLevel, const char*, int, const std::string& message) {
    static std::atomic<int> lines{0};
    if (lines.fetch_add(1) < 10) spdlog::warn("protobuf: {}", message);
  });
}

uint64_t RandomBits() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

// Where the options come from. The configuration file may have changed when they are read again.
struct Sources {
  leasemap::Settings given;  // flags
  leasemap::Settings environment;
  std::string config_file;  // empty: none
  std::string host_name;
};

absl::StatusOr<leasemap::Settings> ReadConfig(const std::string& path) {
  if (path.empty()) return leasemap::Settings();
  std::ifstream file(path);
  file.peek();  // fails for a folder, which can be opened but not read
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return absl::NotFoundError("--config: cannot read " + path);
  return leasemap::ParseConfig(text.str());
}

// SIGHUP: a service manager's reload, log rotation, or a terminal that went. What can change while the node runs does;
// with what can't be read nothing does.
void Reload(const Sources& sources, leasemap::Settings& config, leasemap::rpc::Server& server) {
  auto now = ReadConfig(sources.config_file);
  if (!now.ok()) return spdlog::error("SIGHUP: {}; nothing is changed", std::string(now.status().message()));
  const auto options = leasemap::MakeOptions(sources.given, sources.environment, *now, sources.host_name);
  if (!options.ok()) return spdlog::error("SIGHUP: {}; nothing is changed", std::string(options.status().message()));
  server.host().SetSeeds(options->node.seeds);
  spdlog::info("SIGHUP: seeds and log level were read again: {} seeds, {}", options->node.seeds.size(),
               options->log_level);
  for (const auto& name : leasemap::WaitForRestart(sources.given, sources.environment, config, *now)) {
    spdlog::warn("--{} was changed in {}: that takes a restart", name, sources.config_file);
  }
  spdlog::set_level(spdlog::level::from_str(options->log_level));
  config = *std::move(now);
}

int Serve(leasemap::Options options, const Sources& sources, leasemap::Settings config) {
  // Signals are waited for by this thread alone; every other thread inherits the block.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  options.node.seed = RandomBits();
  const std::string node_id = options.node.node_id, cluster = options.node.cluster;
  const uint64_t memory = leasemap::host::MemoryLimit();
  options.node.max_bytes = options.max_bytes > 0 ? options.max_bytes : leasemap::host::DefaultMapBytes(memory);
  spdlog::info("the map may take {} MiB of memory, of {} MiB that this process may use", options.node.max_bytes >> 20,
               memory >> 20);
  const uint64_t descriptors = leasemap::rpc::RaiseDescriptorLimit();
  const size_t connections = leasemap::rpc::ConnectionsFor(descriptors, options.max_connections);
  if (connections < options.max_connections) {
    spdlog::warn("only {} clients may connect, since this process may have {} file descriptors (ulimit -n)",
                 connections, descriptors);
  }
  const leasemap::rpc::Limits limits{memory, connections, options.max_watches};
  leasemap::rpc::Server server(std::move(options.node), options.listen, options.mesh_listen, limits);
  if (const auto status = server.Start(); !status.ok()) {
    spdlog::error("{}", std::string(status.message()));
    return kFailed;
  }
  spdlog::info("node {} of cluster {}: gRPC on port {}, mesh on port {}", node_id, cluster, server.port(),
               server.mesh_port());
  int received = 0;
  while (sigwait(&signals, &received) == 0 && received == SIGHUP) Reload(sources, config, server);
  spdlog::info("draining");
  server.host().Leave();  // the map goes with the process, so it won't come back as this member
  server.Drain();
  spdlog::info("stopped");
  // Destructors wait for a name that is being resolved, which a dead name server can hold up for half a minute, and
  // for the threads of gRPC.
  std::thread([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    std::_Exit(EXIT_SUCCESS);
  }).detach();
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "leasemapd: one node of a Leasemap cluster. A flag may also be set as a variable (LEASEMAP_NODE_ID for "
      "--node-id) or as a line `node-id = …` of --config FILE; flags come first, then variables, then the file."};
  Sources sources;
  app.add_option("--config", sources.config_file, "file with lines `flag = value`")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.set_version_flag("--version", LEASEMAP_VERSION);
  for (const auto& flag : leasemap::Flags()) {
    auto* option = app.add_option(std::string("--") + flag.name, sources.given[flag.name], flag.help);
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    if (*flag.fallback != '\0') option->default_str(flag.fallback);
  }
  try {
    app.parse(Arguments(argc, argv));
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForVersion& version) {
    return app.exit(version);
  } catch (const CLI::ParseError& error) {
    std::cerr << "leasemapd: " << error.what() << "; leasemapd --help lists the flags\n";
    return kWrongUse;
  }
  SetLogging();
  const auto fail = [](const absl::Status& status) {
    std::cerr << "leasemapd: " << status.message() << "\n";
    return kWrongUse;
  };
  if (sources.config_file.empty() && std::getenv("LEASEMAP_CONFIG") != nullptr) {
    sources.config_file = std::getenv("LEASEMAP_CONFIG");
  }
  auto config = ReadConfig(sources.config_file);
  if (!config.ok()) return fail(config.status());
  asio::error_code no_name;
  sources.host_name = asio::ip::host_name(no_name);
  if (no_name) sources.host_name.clear();
  sources.environment = leasemap::FromEnvironment([](const char* name) { return std::getenv(name); });
  auto options = leasemap::MakeOptions(sources.given, sources.environment, *config, sources.host_name);
  if (!options.ok()) return fail(options.status());
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  for (const auto& warning : leasemap::UnknownVariables(variables)) spdlog::warn("{}", warning);
  spdlog::set_level(spdlog::level::from_str(options->log_level));
  return Serve(*std::move(options), sources, *std::move(config));
}

// leasemapd: one node of a Leasemap cluster.
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

int Serve(leasemap::Options options) {
  // Signals are waited for by this thread alone; every other thread inherits the block.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  options.node.seed = RandomBits();
  const std::string node_id = options.node.node_id, cluster = options.node.cluster;
  leasemap::rpc::Server server(std::move(options.node), options.listen, options.mesh_listen);
  if (const auto status = server.Start(); !status.ok()) {
    spdlog::error("{}", std::string(status.message()));
    return kFailed;
  }
  spdlog::info("node {} of cluster {}: gRPC on port {}, mesh on port {}", node_id, cluster, server.port(),
               server.mesh_port());
  int received = 0;
  sigwait(&signals, &received);
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
  std::string config_file;
  app.add_option("--config", config_file, "file with lines `flag = value`")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.set_version_flag("--version", LEASEMAP_VERSION);
  std::map<std::string, std::string> given;
  for (const auto& flag : leasemap::Flags()) {
    auto* option = app.add_option(std::string("--") + flag.name, given[flag.name], flag.help);
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
  leasemap::Settings config;
  if (config_file.empty() && std::getenv("LEASEMAP_CONFIG") != nullptr) config_file = std::getenv("LEASEMAP_CONFIG");
  if (!config_file.empty()) {
    std::ifstream file(config_file);
    file.peek();  // fails for a folder, which can be opened but not read
    std::stringstream text;
    text << file.rdbuf();
    if (!file) return fail(absl::NotFoundError("--config: cannot read " + config_file));
    auto parsed = leasemap::ParseConfig(text.str());
    if (!parsed.ok()) return fail(parsed.status());
    config = *std::move(parsed);
  }
  asio::error_code no_name;
  const std::string host = asio::ip::host_name(no_name);
  const auto environment = leasemap::FromEnvironment([](const char* name) { return std::getenv(name); });
  auto options = leasemap::MakeOptions(given, environment, config, no_name ? "" : host);
  return options.ok() ? Serve(*std::move(options)) : fail(options.status());
}

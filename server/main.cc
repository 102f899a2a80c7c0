// leasemapd: one node of a Leasemap cluster. Reads the options, serves until SIGTERM, and reads some again on SIGHUP.
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <random>
#include <string_view>
#include <thread>

#include "absl/time/clock.h"
#include "asio/ip/host_name.hpp"
#include "google/protobuf/stubs/common.h"
#include "grpc/support/log.h"
#include "peer/core/data/error.h"
#include "peer/threads/deadlocks.h"
#include "server/environment.h"
#include "server/host/memory.h"
#include "server/log.h"
#include "server/options.h"
#include "server/rpc/descriptors.h"
#include "server/rpc/server.h"
#include "spdlog/spdlog.h"

// Protobuf 22 (4.22 as its headers count) has no log of its own any more.
#define LEASEMAP_PROTOBUF_LOGS (GOOGLE_PROTOBUF_VERSION < 4022000)
#if LEASEMAP_PROTOBUF_LOGS
#include "google/protobuf/stubs/logging.h"
#endif

namespace {

constexpr int kWrongUse = 2;
constexpr int kFailed = 1;

// gRPC logs mistakes of clients as errors, in lines that say nothing about what to do: --log-level debug shows them.
// Its line before an abort is an error here, too.
void TakeGrpcLog(gpr_log_func_args* said) {
  // Never freed: threads of gRPC may log until the very end.
  static auto* logger = new std::shared_ptr<spdlog::logger>(spdlog::default_logger());
  const bool fatal = std::string_view(said->message).starts_with("assertion failed");
  const bool error = said->severity == GPR_LOG_SEVERITY_ERROR;
  const auto level = fatal ? spdlog::level::err : error ? spdlog::level::debug : spdlog::level::trace;
  const std::string_view path = said->file;
  (*logger)->log(level, "gRPC: {} ({}:{})", said->message, path.substr(path.rfind('/') + 1), said->line);
}

// Libraries log where this process does.
void TakeLogs() {
  gpr_set_log_function(TakeGrpcLog);
#if LEASEMAP_PROTOBUF_LOGS
  // Protobuf logs a line for each request whose text is not UTF-8: at most ten are worth having.
  google::protobuf::SetLogHandler([](google::protobuf::LogLevel, const char*, int, const std::string& message) {
    static std::atomic<int> lines{0};
    if (lines.fetch_add(1) < 10) spdlog::warn("protobuf: {}", message);
  });
#endif
}

uint64_t RandomBits() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

// Reads all sources at each call: the configuration file may have changed.
using Read = std::function<absl::StatusOr<leasemap::Reading>()>;

// SIGHUP: a reload by a service manager, log rotation, or a closed terminal. The flags that can change while the node
// runs are set; if a source cannot be read, none changes.
void Reload(const Read& read, leasemap::Reading& reading, leasemap::rpc::Server& server) {
  auto now = read();
  if (!now.ok()) return spdlog::error("SIGHUP: {}; no flag was changed", std::string(now.status().message()));
  const leasemap::Options& options = now->options;
  server.host().SetSeeds(options.node.seeds);
  spdlog::info("SIGHUP: seeds and log level were read again: {} seeds, {}", options.node.seeds.size(),
               options.log_level);
  for (const auto& name : leasemap::WaitForRestart(reading, *now)) {
    spdlog::warn("--{} was changed in {}: a restart is needed", name, now->config_file);
  }
  leasemap::SetLogLevel(options.log_level);
  reading = *std::move(now);
}

// --check-data.
int CheckData(const std::string& path) {
  const auto found = leasemap::storage::Disk::Check(path);
  if (!found.ok()) {
    std::cerr << "leasemapd: " << path << ": " << found.status().message() << "\n";
    return kFailed;
  }
  std::cout << path << ": " << *found << "\n";
  return EXIT_SUCCESS;
}

// The data directory, which decides the node's ID; null if there is none.
absl::StatusOr<std::unique_ptr<leasemap::storage::Disk>> OpenDisk(leasemap::Options& options) {
  if (options.data_dir.empty()) return nullptr;
  using leasemap::storage::Fsync;
  leasemap::storage::Disk::Options asked;
  asked.path = options.data_dir;
  asked.node_id = options.given_node_id;
  asked.default_id = options.node.node_id;
  asked.cluster = options.node.cluster;
  asked.has_seeds = !options.node.seeds.empty();
  asked.fsync = options.fsync == "always"  ? Fsync::kAlways
                : options.fsync == "never" ? Fsync::kNever
                                           : Fsync::kInterval;
  auto disk = leasemap::storage::Disk::Open(std::move(asked));
  if (!disk.ok()) return disk;
  for (const std::string& note : (*disk)->notes()) spdlog::warn("{}", note);
  options.node.node_id = (*disk)->node_id();
  return disk;
}

// What clients are shown; null if the port is plain text.
absl::StatusOr<std::unique_ptr<leasemap::rpc::Certificates>> LoadCertificates(const leasemap::Options& options) {
  using leasemap::rpc::ClientAuth;
  if (options.tls.certificate.empty()) return nullptr;
  const std::string& asked = options.tls_client_auth;
  const ClientAuth clients = asked == "require"    ? ClientAuth::kRequire
                             : asked == "optional" ? ClientAuth::kOptional
                                                   : ClientAuth::kOff;
  if (options.tls_transition) {
    spdlog::warn("--tls-transition: both ports take plain text as well as TLS; `leasemap status` says who speaks it");
    if (clients != ClientAuth::kOff) spdlog::warn("--tls-transition: clients in plain text show no certificate");
  }
  return leasemap::rpc::Certificates::Load(options.tls, clients, options.tls_transition, options.node.node_id);
}

void ReloadCertificates(leasemap::rpc::Server& server) {
  if (const auto status = server.ReloadCertificates(); status.ok()) {
    spdlog::info("the certificates were read again");
  } else {
    spdlog::error("{}; the certificates that were read before are used on", std::string(status.message()));
  }
}

// Who may do what; null if everyone may do everything.
absl::StatusOr<std::unique_ptr<leasemap::rpc::Access>> OpenAccess(const leasemap::Options& options) {
  const bool plain = options.tls.certificate.empty() || options.tls_transition;
  const bool is_open = !leasemap::IsLoopback(options.listen);
  if (options.auth_file.empty()) {
    if (is_open) {
      spdlog::warn("there is no --auth-file: every client that {} may do everything",
                   !plain && options.tls_client_auth == "require" ? "has a certificate" : "reaches " + options.listen);
    }
    return nullptr;
  }
  if (is_open && plain) {
    spdlog::warn(
        "tokens come to {} in plain text, where others may read them: set --tls-cert, without --tls-transition",
        options.listen);
  }
  auto access = leasemap::rpc::Access::Open(options.auth_file, leasemap::AuditLog());
  if (!access.ok()) return access;
  if ((*access)->rights()->principals().contains(options.node.node_id)) {
    spdlog::warn("principal {} has the name of this node: what the node holds by default is its own",
                 leasemap::core::Shown(options.node.node_id));
  }
  spdlog::info("{} principals have rights", (*access)->rights()->size());
  return access;
}

void ReloadRights(leasemap::rpc::Server& server) {
  if (const auto status = server.ReloadRights(); status.ok()) {
    spdlog::info("the rights were read again: {} principals", server.access().rights()->size());
  } else {
    spdlog::error("{}; the rights that were read before count on", std::string(status.message()));
  }
}

// Waits for a signal, and looks after the certificates and the rights meanwhile.
int AwaitSignal(const sigset_t& signals, leasemap::rpc::Server& server) {
  constexpr timespec kLookEvery{2, 0};
  leasemap::rpc::Certificates* const certificates = server.certificates();
  for (;;) {
    int received = 0;
    if (certificates == nullptr && !server.access().has_rights()) {
      return sigwait(&signals, &received) == 0 ? received : SIGTERM;
    }
    if (certificates != nullptr) {
      if (certificates->Changed()) ReloadCertificates(server);
      if (const auto warning = certificates->TakeWarning(absl::Now())) spdlog::warn("{}", *warning);
    }
    if (server.access().Changed()) ReloadRights(server);
    received = sigtimedwait(&signals, nullptr, &kLookEvery);
    if (received > 0) return received;
  }
}

int Serve(leasemap::Reading reading, const Read& read) {
  leasemap::Options options = reading.options;
  // Signals are waited for by this thread alone; every other thread inherits the block.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  options.node.seed = RandomBits();
  auto disk = OpenDisk(options);
  if (!disk.ok()) {
    spdlog::error("{}", std::string(disk.status().message()));
    return kFailed;
  }
  auto certificates = LoadCertificates(options);
  if (!certificates.ok()) {
    spdlog::error("{}", std::string(certificates.status().message()));
    return kFailed;
  }
  auto access = OpenAccess(options);
  if (!access.ok()) {
    spdlog::error("--auth-file: {}", std::string(access.status().message()));
    return kFailed;
  }
  const bool saves = *disk != nullptr;
  const std::string node_id = options.node.node_id, cluster = options.node.cluster;
  const uint64_t memory = leasemap::host::MemoryLimit();
  options.node.max_bytes = options.max_bytes > 0 ? options.max_bytes : leasemap::host::DefaultMapBytes(memory);
  spdlog::info("the map may take {} MiB of memory, of {} MiB that this process may use", options.node.max_bytes >> 20,
               memory >> 20);
  const uint64_t descriptors = leasemap::rpc::RaiseDescriptorLimit();
  const size_t connections = leasemap::rpc::ConnectionsFor(descriptors, options.max_connections);
  if (connections < options.max_connections) {
    spdlog::warn("only {} clients can connect, since this process may open {} file descriptors (ulimit -n)",
                 connections, descriptors);
  }
  const leasemap::rpc::Limits limits{memory, connections, options.max_watches};
  leasemap::rpc::Server server(std::move(options.node), options.listen, options.mesh_listen, limits, *std::move(disk),
                               *std::move(certificates), *std::move(access));
  std::atomic<bool> leaves{!saves};  // without a data directory the map ends with the process
  server.OnLeave([&leaves] {
    leaves.store(true);
    kill(getpid(), SIGTERM);
  });
  if (const auto status = server.Start(); !status.ok()) {
    spdlog::error("{}", std::string(status.message()));
    return kFailed;
  }
  spdlog::info("node {} of cluster {}: gRPC on port {}, mesh on port {}", node_id, cluster, server.port(),
               server.mesh_port());
  while (AwaitSignal(signals, server) == SIGHUP) {
    Reload(read, reading, server);
    if (server.certificates() != nullptr) ReloadCertificates(server);
    if (server.access().has_rights()) ReloadRights(server);
  }
  spdlog::info("draining");
  if (leaves.load()) server.host().Leave();  // this member does not come back as it is
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
  leasemap::LetLibrariesLookForNoDeadlocks();
  asio::error_code no_name;
  std::string host_name = asio::ip::host_name(no_name);
  if (no_name) host_name.clear();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const Read read = [&] { return leasemap::ReadOptions(arguments, host_name, LEASEMAP_VERSION); };
  auto reading = read();
  if (!reading.ok()) {
    std::cerr << "leasemapd: " << reading.status().message() << "\n";
    return kWrongUse;
  }
  if (!reading->show.empty()) {
    std::cout << reading->show;
    return EXIT_SUCCESS;
  }
  if (reading->options.check_data) return CheckData(reading->options.data_dir);
  leasemap::StartLog(reading->options.log_format, reading->options.log_level);
  TakeLogs();
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  for (const auto& warning : leasemap::UnknownVariables(variables)) spdlog::warn("{}", warning);
  return Serve(*std::move(reading), read);
}

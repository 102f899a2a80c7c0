// The gRPC side of a node: its services on one port, and how it starts and drains.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "server/host/node_host.h"
#include "server/rpc/access.h"
#include "server/rpc/certificates.h"
#include "server/rpc/connections.h"
#include "server/rpc/gate.h"
#include "server/rpc/health_service.h"
#include "server/rpc/key_value_service.h"
#include "server/rpc/limits.h"
#include "server/rpc/mesh_service.h"
#include "server/rpc/subscribers.h"
#include "server/rpc/watch_hub.h"

namespace leasemap::rpc {

class Server {
 public:
  // A drain ends calls that are still open after this time. With the linger of the links the process ends within 5 s.
  static constexpr int kDrainSeconds = 3;

  // `disk`: null without a data directory. `certificates`: null for plain text. `access`: null without rights.
  Server(core::NodeOptions options, std::string listen, std::string mesh_listen, Limits limits = {},
         std::unique_ptr<storage::Disk> disk = nullptr, std::unique_ptr<Certificates> certificates = nullptr,
         std::unique_ptr<Access> access = nullptr);
  ~Server();

  // Listens on both ports and serves. The message of an error names the flag to change.
  absl::Status Start();
  // What Mesh.Leave calls: it is to begin a shutdown that leaves, and does not wait for it. Before Start.
  void OnLeave(std::function<void()> leave) { mesh_.OnLeave(std::move(leave)); }
  // New calls are refused with DRAINING, watches end after their cursor, then everything is closed.
  void Drain();

  int port() const { return connections_.port(); }
  uint16_t mesh_port() const { return host_.mesh_port(); }
  host::NodeHost& host() { return host_; }
  Certificates* certificates() { return certificates_.get(); }  // null for plain text
  // Reads the certificates again, for clients and for the mesh. After an error those of before count on.
  absl::Status ReloadCertificates();
  const Access& access() const { return *access_; }
  // Reads the file of rights again: watches of callers that lost theirs end. After an error those of before count on.
  absl::Status ReloadRights();

 private:
  void Take(int listener, int fd, bool plain);
  void SetListening(bool listening);
  absl::Status SecureMesh();

  const std::string listen_;
  const Limits limits_;
  const std::unique_ptr<Certificates> certificates_;
  const std::unique_ptr<Access> access_;
  host::NodeHost host_;
  // Of server_; the second one for clients in plain text beside those of TLS.
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_, plain_acceptor_;
  Connections connections_;
  Gate gate_;
  WatchHub watches_;
  Subscribers subscribers_;
  KeyValueService key_value_;
  MeshService mesh_;
  HealthService health_;
  std::atomic<bool> was_serving_{false};
  std::unique_ptr<grpc::Server> server_;
  bool drained_ = false;  // of the thread that starts and drains
};

}  // namespace leasemap::rpc

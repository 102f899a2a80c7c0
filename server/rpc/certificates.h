// What the gRPC port proves itself with, and whom it takes: read from files, and read again when these change.
//
// gRPC 1.51 reads certificates again only from files that it watches, takes any new content of them, and then refuses
// every connection if that is bad. So it watches copies in memory (memfd_create(2), by their path below /proc/self/fd),
// which change only to what was read and found good. It looks at them once a second. Links and calls that are there
// stay.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/security/server_credentials.h"
#include "peer/threads/mutex.h"
#include "peer/tls/material.h"
#include "server/rpc/watched_files.h"

namespace leasemap::rpc {

// Whether clients have to show a certificate that an authority signed. One that shows a bad one is refused, but for
// kOff, with which none is asked for.
enum class ClientAuth { kOff, kOptional, kRequire };

class Certificates {
 public:
  // INVALID_ARGUMENT says which file is wrong (ReadMaterial), or that the certificate is not that of `node_id`.
  // `plain_too`: clients and members that speak plain text are taken as well (docs/decisions/0039).
  static absl::StatusOr<std::unique_ptr<Certificates>> Load(tls::Paths paths, ClientAuth clients, bool plain_too,
                                                            std::string node_id);
  ~Certificates();
  Certificates(const Certificates&) = delete;

  std::shared_ptr<grpc::ServerCredentials> credentials() const { return credentials_; }
  bool plain_too() const { return plain_too_; }
  // Reads the files again. After an error what was read before counts on.
  absl::Status Reload();
  // Whether a file has changed since it was read last, with or without success. One caller at a time.
  bool Changed() const { return files_.Changed(); }
  // A line for the log if the certificate expires within 30, 7 or 1 days, once for each. One caller at a time.
  std::optional<std::string> TakeWarning(absl::Time now);
  // What was read last and found good. One caller at a time.
  const tls::Material& material() const { return material_; }
  // Any thread.
  absl::Time expires() const;
  // For people; empty while it is valid for 30 days more. Any thread.
  std::string Note(absl::Time now) const;

 private:
  Certificates(tls::Paths paths, ClientAuth clients, bool plain_too, std::string node_id)
      : paths_(std::move(paths)),
        clients_(clients),
        plain_too_(plain_too),
        node_id_(std::move(node_id)),
        files_({paths_.certificate, paths_.key, paths_.authorities}) {}
  absl::Status MakeCredentials();

  const tls::Paths paths_;
  const ClientAuth clients_;
  const bool plain_too_;
  const std::string node_id_;
  WatchedFiles files_;
  int own_fd_ = -1, authorities_fd_ = -1;  // the copies that gRPC watches
  tls::Material material_;
  size_t warned_ = 0;  // how many of the warnings were given
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  mutable Mutex mutex_;
  absl::Time expires_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace leasemap::rpc

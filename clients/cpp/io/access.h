// What a client shows to nodes, and whom it trusts: TLS, and a token that goes with each call. Files are read again
// when they change. On the loop, but for what says so.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/security/credentials.h>
#include <sys/stat.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "leasemap/options.h"

namespace leasemap::internal {

class Access {
 public:
  // Which file it is, and since when; two are equal while it was not replaced.
  struct FileState {
    ino_t inode = 0;
    int64_t size = 0, seconds = 0, nanoseconds = 0;
    bool operator==(const FileState&) const = default;
  };
  using FileStates = std::array<FileState, 3>;

  // Any thread. What is wrong with the options or files otherwise.
  static absl::StatusOr<std::unique_ptr<Access>> Open(const ClientOptions& options);

  // Any thread. Nodes may know this client by a name, of its token or certificate.
  bool proves() const { return proves_; }
  // Any thread. OK, or that the token would leave this machine in plain text on the way to this host:port.
  absl::Status Check(const std::string& target) const;

  // For a new connection. Files that are bad now, as while they are being replaced, leave what was read before.
  std::shared_ptr<grpc::ChannelCredentials> Credentials();
  // The files as they are now. A connection that fails and was made of others is to be made again.
  FileStates Files() const;

  // Puts the token into a call to this node. It goes nowhere that Check refuses.
  void Sign(const std::string& target, grpc::ClientContext& context);

 private:
  explicit Access(const ClientOptions& options) : options_(options) {}

  absl::Status Load();
  absl::Status LoadToken();

  const ClientOptions options_;
  bool proves_ = false;
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
  FileStates files_;
  std::string authorization_;  // "Bearer …"; empty without a token
  FileState token_file_;
};

}  // namespace leasemap::internal

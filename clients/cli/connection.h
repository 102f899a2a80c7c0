// The channel to one node, a deadline for each call, and what an error means: its message on stderr and the exit code.
#ifndef LEASEMAP_CLIENTS_CLI_CONNECTION_H_
#define LEASEMAP_CLIENTS_CLI_CONNECTION_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "clients/cli/options.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "leasemap/v1/key_value.grpc.pb.h"
#include "leasemap/v1/mesh.grpc.pb.h"

namespace leasemap::cli {

class Connection {
 public:
  explicit Connection(const Options& options);

  // Calls `method` of `stub`, waits for the answer at most --timeout, and reports an error.
  template <typename Stub, typename Request, typename Response>
  int Call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
           const Request& request, Response& response) {
    const grpc::Status status = Try(stub, method, request, response);
    return status.ok() ? kDone : Report(status);
  }

  // The same, for a caller that wants to see the error first.
  template <typename Stub, typename Request, typename Response>
  grpc::Status Try(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + options_.timeout));
    return (stub.*method)(&context, request, &response);
  }

  // Says on stderr what went wrong and returns the exit code for it.
  int Report(const grpc::Status& status) const;

  v1::KeyValue::Stub& key_value() { return *key_value_; }
  v1::Mesh::Stub& mesh() { return *mesh_; }
  grpc::health::v1::Health::Stub& health() { return *health_; }
  const Options& options() const { return options_; }

 private:
  const Options& options_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::KeyValue::Stub> key_value_;
  std::unique_ptr<v1::Mesh::Stub> mesh_;
  std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

// The ErrorInfo reason of an error of Leasemap's own, as LEASE_HELD; empty if the error is not ours.
std::string ReasonOf(const grpc::Status& status);

// True if no node answered: the connection failed, or the deadline passed without an answer of ours.
bool IsUnreachable(const grpc::Status& status);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CONNECTION_H_

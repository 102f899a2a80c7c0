// The channels to the servers, a deadline for each call, and what an error means: its message on stderr and the exit
// code. Calls go to one server, and to the next one when it does not serve and the call allows that.
#ifndef LEASEMAP_CLIENTS_CLI_CONNECTION_H_
#define LEASEMAP_CLIENTS_CLI_CONNECTION_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "clients/cli/core/repeat.h"
#include "clients/cli/options.h"
#include "clients/cli/proofs.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "leasemap/v1/key_value.grpc.pb.h"
#include "leasemap/v1/mesh.grpc.pb.h"

namespace leasemap::cli {

// The ErrorInfo reason of an error of Leasemap's own, as LEASE_HELD; empty if the error is not ours.
std::string ReasonOf(const grpc::Status& status);

// True if no node answered: the connection failed, or the deadline passed without an answer of ours.
bool IsUnreachable(const grpc::Status& status);

class Connection {
 public:
  Connection(const Options& options, Proofs proofs);

  // Calls `method`, waits for the answer of each server that is asked at most --timeout, and reports an error.
  template <typename Stub, typename Request, typename Response>
  int Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), const Request& request,
           Response& response) {
    const grpc::Status status = Try(method, request, response);
    return status.ok() ? kDone : Report(status);
  }

  // The same, for a caller that wants to see the error first.
  template <typename Stub, typename Request, typename Response>
  grpc::Status Try(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& request, Response& response) {
    const bool safe = IsSafeToRepeat(request);
    grpc::Status best;
    Begin();
    do {
      // A write is handed to gRPC only once the server is there: so it is known that others never got it.
      const bool connects = safe || servers_.size() == 1 || Connects();
      if (!connects && !IsLast()) continue;
      grpc::ClientContext context;
      context.set_deadline(absl::ToChronoTime(absl::Now() + options_.timeout));
      response.Clear();
      grpc::Status status = (StubOf(static_cast<Stub*>(nullptr)).*method)(&context, request, &response);
      if (status.ok()) return status;
      // The refusal of one node is more useful than the silence of another.
      if (best.ok() || !IsUnreachable(status)) best = status;
      unknown_ = !safe && connects && servers_.size() > 1 && IsUnreachable(status);
      const bool another =
          !connects || MayAskAnother(static_cast<absl::StatusCode>(status.error_code()), ReasonOf(status), safe);
      if (!another) return status;
    } while (Next());
    return best;
  }

  // Moves to the next server; false if that was the last one since Begin.
  bool Next();
  // From here on each server is asked once.
  void Begin() { asked_ = 1, unknown_ = false; }
  // Moves to the first server, from the present one on, that can be connected to, if there is one.
  void Settle();

  // Says on stderr what went wrong and returns the exit code for it.
  int Report(const grpc::Status& status) const;

  // Of the server that is asked at present.
  v1::Mesh::Stub& mesh() { return StubOf(static_cast<v1::Mesh::Stub*>(nullptr)); }
  v1::KeyValue::Stub& key_value() { return StubOf(static_cast<v1::KeyValue::Stub*>(nullptr)); }
  const std::string& server() const { return servers_[current_].address; }
  size_t server_count() const { return servers_.size(); }
  const Options& options() const { return options_; }
  // TLS, or plain text. Made when it is asked for first: gRPC then has threads, and they take the signals that this
  // thread does not block.
  const std::shared_ptr<grpc::ChannelCredentials>& credentials();
  const Proofs& proofs() const { return proofs_; }

 private:
  struct Server {
    std::string address;
    // Made when the server is asked first.
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<v1::KeyValue::Stub> key_value;
    std::unique_ptr<v1::Mesh::Stub> mesh;
    std::unique_ptr<grpc::health::v1::Health::Stub> health;
  };

  bool IsLast() const { return asked_ >= servers_.size(); }
  // Waits until the present server is connected; false if the attempt fails or takes too long.
  bool Connects();
  Server& Open();
  // The argument chooses the service and is not read.
  v1::KeyValue::Stub& StubOf(v1::KeyValue::Stub*) { return *Open().key_value; }
  v1::Mesh::Stub& StubOf(v1::Mesh::Stub*) { return *Open().mesh; }
  grpc::health::v1::Health::Stub& StubOf(grpc::health::v1::Health::Stub*) { return *Open().health; }

  const Options& options_;
  const Proofs proofs_;
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
  std::vector<Server> servers_;
  size_t current_ = 0;
  size_t asked_ = 1;      // servers since Begin, the present one included
  bool unknown_ = false;  // the last call was a write that was sent and not answered
};

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CONNECTION_H_

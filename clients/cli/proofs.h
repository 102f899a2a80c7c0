// What this client shows to nodes, and whom it trusts: what the files and variables of its options hold.
#ifndef LEASEMAP_CLIENTS_CLI_PROOFS_H_
#define LEASEMAP_CLIENTS_CLI_PROOFS_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "clients/cli/options.h"

namespace leasemap::cli {

struct Proofs {
  // PEM. None without --tls-ca: calls are plain text.
  std::string authorities, key, certificate;
  // Sent with each call; empty: none.
  std::string token;
};

// nullopt after it said on stderr what cannot be read, or that the token would be sent in plain text beyond this
// machine.
std::optional<Proofs> ReadProofs(const Options& options);

// TLS or plain text.
std::shared_ptr<grpc::ChannelCredentials> ChannelCredentialsOf(const Proofs& proofs);

// Adds `authorization: Bearer TOKEN` to each call of a channel, plain or not; none without a token.
std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> TokenSenders(const Proofs& proofs);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_PROOFS_H_

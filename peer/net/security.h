// TLS of the mesh: 1.3, and both ends show a certificate that an authority of the cluster signed. Whether it is that of
// the node which it says it is, the core judges (JudgeHello).
#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "asio/ssl/context.hpp"
#include "peer/core/data/message.h"
#include "peer/tls/material.h"

namespace leasemap::net {

class Security {
 public:
  // Of checked files (ReadMaterial). An error is OpenSSL's.
  static absl::StatusOr<std::shared_ptr<Security>> Make(const tls::Material& material);

  asio::ssl::context& context() { return context_; }

 private:
  Security();

  asio::ssl::context context_;
};

// Whom the certificate of a connection's other end names; nullopt if nobody of Leasemap's.
std::optional<core::Certified> ShownBy(SSL* connection);

// Whether a handshake that this end began failed as it does if the other end speaks no TLS: that hung up, or answered
// something else. A certificate that is refused is another error.
bool MaySpeakNoTls(const asio::error_code& error);

}  // namespace leasemap::net

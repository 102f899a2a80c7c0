#include "peer/net/security.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "absl/strings/str_cat.h"
#include "asio/buffer.hpp"
#include "asio/ssl/error.hpp"
#include "peer/tls/pointers.h"

namespace leasemap::net {

Security::Security() : context_(asio::ssl::context::tls) {}

absl::StatusOr<std::shared_ptr<Security>> Security::Make(const tls::Material& material) {
  std::shared_ptr<Security> security(new Security());
  asio::ssl::context& context = security->context_;
  SSL_CTX* raw = context.native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION);
  // Each connection shows its certificate: none goes on from an earlier one.
  SSL_CTX_set_options(raw, SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  asio::error_code error;
  context.use_certificate_chain(asio::buffer(material.certificates), error);
  if (!error) context.use_private_key(asio::buffer(material.key), asio::ssl::context::pem, error);
  if (!error) context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert, error);
  if (error) return absl::InvalidArgumentError(absl::StrCat("TLS of the mesh: ", error.message()));
  for (const auto& authority : tls::ReadCertificates(material.authorities)) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(raw), authority.get());
  }
  return security;
}

std::optional<core::Certified> ShownBy(SSL* connection) {
  const tls::CertificatePtr certificate(SSL_get1_peer_certificate(connection));
  const auto identity = certificate != nullptr ? tls::IdentityOf(certificate.get()) : std::nullopt;
  if (!identity) return std::nullopt;
  return core::Certified{identity->name, identity->kind == tls::Identity::Kind::kNode};
}

bool MaySpeakNoTls(const asio::error_code& error) {
  if (error == asio::error::eof || error == asio::ssl::error::stream_truncated) return true;
  if (error == asio::error::connection_reset || error == asio::error::broken_pipe) return true;
  if (error.category() != asio::error::get_ssl_category()) return false;
  return ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_WRONG_VERSION_NUMBER;
}

}  // namespace leasemap::net

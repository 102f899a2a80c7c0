// What a node proves itself with: its certificate and key, and the authorities that it trusts, read from files and
// checked before any connection uses them.
#pragma once

#include <openssl/x509.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peer/tls/identity.h"
#include "peer/tls/pointers.h"

namespace leasemap::tls {

// What a client of TLS sends first: the type of its first record, "handshake" (RFC 8446, 5.1). HTTP/2 in plain text
// begins with a "P" (RFC 9113, 3.4).
inline constexpr char kFirstByte = 22;

// Of PEM files.
struct Paths {
  std::string certificate;  // and those that lead from it to an authority, if there are any between
  std::string key;          // not encrypted
  std::string authorities;  // one or more: while an authority is replaced, the old one and the new one

  bool operator==(const Paths&) const = default;
};

struct Material {
  std::string certificates, key, authorities;  // PEM
  Identity identity;                           // whose certificate it is
  absl::Time expires;
};

// Reads the files. The error names the file, what is wrong with it and what to do: it cannot be read, the key is not
// that of the certificate, no authority signed the certificate, it is not valid at `now`, or it names nobody.
absl::StatusOr<Material> ReadMaterial(const Paths& paths, absl::Time now);

// All certificates of a PEM text, in its order.
std::vector<CertificatePtr> ReadCertificates(const std::string& pem);

// Whom a certificate names: nullopt if nobody of Leasemap's, or more than one.
std::optional<Identity> IdentityOf(X509* certificate);

}  // namespace leasemap::tls

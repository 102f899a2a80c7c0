// Makes the certificates of a cluster: its own authority (CA), and certificates of nodes and clients that it signs.
//
// Keys are ECDSA P-256, signatures ECDSA with SHA-256. A certificate is valid from five minutes before it is made, for
// clocks that are behind.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peer/tls/identity.h"

namespace leasemap::tls {

// As PEM.
struct Issued {
  std::string certificate;
  std::string key;  // PKCS #8, not encrypted
};

// An authority of its own. `name`: for people.
absl::StatusOr<Issued> MakeAuthority(const std::string& name, absl::Time now, absl::Duration valid);

struct Subject {
  Identity identity;
  // DNS names (as *.example.com, too) and IP addresses at which a node is reached.
  std::vector<std::string> hosts;
};
// A node's certificate is good for both ends of a connection, a client's for the client's. INVALID_ARGUMENT for a host
// that is neither a DNS name nor an IP address, and for an authority that cannot be read or is none.
absl::StatusOr<Issued> Issue(const Issued& authority, const Subject& subject, absl::Time now, absl::Duration valid);

// Whether a certificate can have this host.
bool IsHost(const std::string& host);

}  // namespace leasemap::tls

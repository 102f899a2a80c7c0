// Whose certificate it is: the ID of a node, or the name of a client. It is in the certificate as a URI, among the
// subject's alternative names:
//
//   leasemap://node/n1        leasemap://client/alice
//
// Bytes other than letters, digits and -._~ are %XX, as in RFC 3986, section 2.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace leasemap::tls {

struct Identity {
  enum class Kind { kNode, kClient };
  Kind kind = Kind::kNode;
  std::string name;

  bool operator==(const Identity&) const = default;
};

// As it is at the end of the URI; good as a part of a file's name, too.
std::string Escaped(std::string_view name);
std::string UriOf(const Identity& identity);

// nullopt for anything that UriOf never returns: an identity has one URI.
std::optional<Identity> ParseUri(std::string_view uri);

}  // namespace leasemap::tls

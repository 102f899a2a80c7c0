// Tokens: secrets that clients show with `authorization: Bearer TOKEN`. A node knows their hashes alone.
//
// A token has 256 random bits, so a plain SHA-256 of it is as hard to turn round as it is to guess the token: a slow
// hash is for passwords, which people make up.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace leasemap::tls {

// lm_ and 43 characters of base64url (RFC 4648, section 5): 256 bits of OpenSSL's generator. The first letters let
// scanners of sources find tokens. nullopt: the generator has no entropy.
std::optional<std::string> NewToken();

// The SHA-256 (FIPS 180-4) of the token's bytes, as 64 lower-case hex digits: what `printf %s TOKEN | sha256sum` says.
std::string HashOfToken(std::string_view token);

}  // namespace leasemap::tls

#include "peer/tls/token.h"

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "openssl/rand.h"
#include "openssl/sha.h"

namespace leasemap::tls {

std::optional<std::string> NewToken() {
  std::array<unsigned char, 32> bits{};
  if (RAND_bytes(bits.data(), static_cast<int>(bits.size())) != 1) return std::nullopt;
  const std::string text = absl::WebSafeBase64Escape({reinterpret_cast<const char*>(bits.data()), bits.size()});
  return absl::StrCat("lm_", text);
}

std::string HashOfToken(std::string_view token) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), hash.data());
  return absl::BytesToHexString({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

}  // namespace leasemap::tls

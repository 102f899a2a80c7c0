// Little-endian varints and base64url: what versions and cursors are written in. Readers check every length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leasemap::core {

void PutVarint(std::string& out, uint64_t value);
void PutFixed64(std::string& out, uint64_t value);
void PutString(std::string& out, std::string_view value);  // length as a varint, then the bytes

// Takes values off the front of `in`; after a failure every further read fails, and ok() says so.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  uint64_t Varint();
  uint64_t Fixed64();
  std::string_view String(size_t max);
  bool ok() const { return ok_; }
  bool done() const { return ok_ && in_.empty(); }

 private:
  std::string_view in_;
  bool ok_ = true;
};

// Base64url without padding (RFC 4648, section 5).
std::string EncodeBase64(std::string_view bytes);
// nullopt unless `text` is exactly what EncodeBase64 makes of some bytes.
std::optional<std::string> DecodeBase64(std::string_view text);

// The least string above all that start with `prefix`; empty: there is none, since all its bytes are 0xff.
std::string AfterPrefix(std::string prefix);

// XXH3, 64 bits (xxHash, Collet): the same on all machines. Not for hostile input.
uint64_t Hash64(std::string_view bytes, uint64_t seed = 0);

}  // namespace leasemap::core

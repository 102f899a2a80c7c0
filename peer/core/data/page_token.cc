#include "peer/core/data/page_token.h"

#include "peer/core/data/bytes.h"
#include "peer/core/data/limits.h"

namespace leasemap::core {
namespace {

constexpr uint64_t kSeed = 0x6c6d70;  // "lmp"
constexpr size_t kChecksumBytes = 8;

}  // namespace

uint64_t HashOfRange(std::string_view start, std::string_view end) {
  std::string canonical;
  PutString(canonical, start);
  PutString(canonical, end);
  return Hash64(canonical, kSeed);
}

// The range, the last key, a checksum of both.
std::string EncodePageToken(const PageToken& token) {
  std::string raw;
  PutFixed64(raw, token.range);
  PutString(raw, token.last_key);
  PutFixed64(raw, Hash64(raw, kSeed));
  return EncodeBase64(raw);
}

std::optional<PageToken> DecodePageToken(std::string_view text) {
  if (text.size() > 2 * kMaxKeyBytes) return std::nullopt;
  const auto raw = DecodeBase64(text);
  if (!raw || raw->size() < 2 * kChecksumBytes) return std::nullopt;
  Reader in(*raw);
  PageToken token;
  token.range = in.Fixed64();
  token.last_key = std::string(in.String(kMaxKeyBytes));
  const uint64_t checksum = in.Fixed64();
  const std::string_view checked = std::string_view(*raw).substr(0, raw->size() - kChecksumBytes);
  // A number has one form: what is read is what was written.
  if (!in.done() || checksum != Hash64(checked, kSeed) || EncodePageToken(token) != text) return std::nullopt;
  return token;
}

}  // namespace leasemap::core

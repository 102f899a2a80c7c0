// A cursor, a version and the token of a page are either refused or exactly what their encoders make.
#include <cstdint>
#include <cstdlib>

#include "peer/core/data/cursor.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/page_token.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace leasemap::core;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto cursor = DecodeCursor(text); cursor && EncodeCursor(*cursor) != text) std::abort();
  if (const auto dot = ParseVersion(text); dot && VersionOf(*dot) != text) std::abort();
  if (const auto token = DecodePageToken(text); token && EncodePageToken(*token) != text) std::abort();
  return 0;
}

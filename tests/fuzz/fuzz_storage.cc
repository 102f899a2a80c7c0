// A record of the map's files: what decodes encodes to something that decodes to the same bytes again. The first byte
// chooses the kind of record.
#include <cstdint>
#include <cstdlib>

#include "server/storage/codec.h"

namespace {

template <typename Decode, typename Encode>
void Check(std::string_view bytes, Decode decode, Encode encode) {
  const auto record = decode(bytes);
  if (!record.ok()) return;
  const std::string first = encode(*record);
  const auto again = decode(first);
  if (!again.ok() || encode(*again) != first) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace leasemap::storage;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      Check(
          bytes, [](auto text) { return DecodeEntry("k", text); },
          [](const auto& entry) { return EncodeEntry(*entry); });
      break;
    case 1:
      Check(bytes, DecodeConflict, EncodeConflict);
      break;
    default:
      Check(bytes, DecodeImage, EncodeImage);
  }
  return 0;
}

// Any bytes, in any pieces: the reader gives only frames within its limit, and decoding them breaks nothing.
#include <cstdint>
#include <cstdlib>

#include "peer/wire/codec.h"
#include "peer/wire/frame.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace leasemap;
  if (size == 0) return 0;
  const size_t step = 1 + data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  wire::FrameReader reader;
  wire::Decoder decoder;
  for (size_t at = 0; at < bytes.size(); at += step) {
    reader.Feed(bytes.substr(at, step));
    while (const auto frame = reader.Next()) {
      if (frame->empty() || frame->size() > wire::kMaxFirstFrameBytes) std::abort();
      if (!decoder.Decode(*frame).ok()) return 0;
    }
    if (reader.buffered() > wire::kMaxFirstFrameBytes + 4 + step) std::abort();
  }
  return 0;
}

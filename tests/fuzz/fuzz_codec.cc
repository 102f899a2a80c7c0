// What decodes encodes to something that decodes to the same bytes again.
#include <cstdint>
#include <cstdlib>

#include "peer/wire/codec.h"

namespace {
std::string Join(const leasemap::core::Message& message) {
  std::string all;
  for (const auto& frame : leasemap::wire::Encoder().Encode(message)) all += frame;
  return all;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace leasemap;
  wire::Decoder decoder;
  const auto message = decoder.Decode({reinterpret_cast<const char*>(data), size});
  if (!message.ok() || !message->has_value()) return 0;
  wire::Decoder again;
  std::optional<core::Message> back;
  for (const auto& frame : wire::Encoder().Encode(**message)) {
    auto decoded = again.Decode(std::string_view(frame).substr(4));
    if (!decoded.ok()) std::abort();
    if (decoded->has_value()) back = *std::move(*decoded);
  }
  if (!back || Join(*back) != Join(**message)) std::abort();
  return 0;
}

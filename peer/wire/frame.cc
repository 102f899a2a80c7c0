#include "peer/wire/frame.h"

#include "absl/strings/str_cat.h"

namespace leasemap::wire {

void AppendFrame(std::string& out, std::string_view body) {
  const auto size = static_cast<uint32_t>(body.size());
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(size >> shift));
  out.append(body);
}

void FrameReader::Feed(std::string_view bytes) {
  if (!status_.ok()) return;
  buffer_.erase(0, taken_);
  taken_ = 0;
  buffer_.append(bytes);
}

std::optional<std::string_view> FrameReader::Next() {
  constexpr size_t kHeader = 4;
  if (!status_.ok() || buffered() < kHeader) return std::nullopt;
  uint32_t size = 0;
  for (size_t i = 0; i < kHeader; ++i) size = (size << 8) | static_cast<uint8_t>(buffer_[taken_ + i]);
  if (size == 0 || size > limit_) {
    guess_ = Guess();
    status_ = absl::InvalidArgumentError(absl::StrCat("a frame of ", size, " bytes; 1 to ", limit_, " are allowed"));
    buffer_.clear();
    taken_ = 0;
    return std::nullopt;
  }
  if (buffered() < kHeader + size) return std::nullopt;
  const std::string_view body(buffer_.data() + taken_ + kHeader, size);
  taken_ += kHeader + size;
  return body;
}

std::string FrameReader::Guess() const {
  if (!status_.ok()) return guess_;
  const std::string_view bytes(buffer_.data() + taken_, buffered());
  const auto starts = [&](std::string_view with) { return bytes.substr(0, with.size()) == with; };
  // RFC 9113, section 3.4: a server begins with SETTINGS: a length of 3 bytes, type 4, no flags, stream 0.
  if (bytes.size() >= 9 && bytes.substr(3, 6) == std::string_view("\x04\0\0\0\0\0", 6)) {
    return "HTTP/2, as a gRPC port does; give the mesh port (--mesh-listen, 7401 by default)";
  }
  if (starts("HTTP/")) return "HTTP";
  if (starts("SSH-")) return "SSH";
  // RFC 8446, section 5.1: an alert or a handshake record.
  if (starts("\x15\x03") || starts("\x16\x03")) return "TLS";
  return "";
}

}  // namespace leasemap::wire

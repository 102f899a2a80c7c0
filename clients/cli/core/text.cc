#include "clients/cli/core/text.h"

#include <cctype>
#include <cstdint>

#include "absl/status/status.h"

namespace leasemap::cli {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// C0, DEL, C1, and the line and paragraph separators, which some terminals and tools take for line ends.
bool IsControl(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

void AppendHex(std::string_view bytes, std::string& out) {
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    out += "\\x";
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
}

std::string EscapeAll(std::string_view bytes, bool space_too) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    uint32_t code = 0;
    const size_t length = DecodeUtf8(bytes, code);
    const std::string_view piece = bytes.substr(0, length == 0 ? 1 : length);
    if (piece == "\\") {
      out += "\\\\";
    } else if (piece == "\t") {
      out += "\\t";
    } else if (piece == "\n") {
      out += "\\n";
    } else if (piece == "\r") {
      out += "\\r";
    } else if (length == 0 || IsControl(code) || (space_too && code == ' ')) {
      AppendHex(piece, out);
    } else {
      out += piece;
    }
    bytes.remove_prefix(piece.size());
  }
  return out;
}

int HexDigit(char c) {
  const size_t at = std::string_view(kHex, 16).find(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

size_t DecodeUtf8(std::string_view bytes, uint32_t& code) {
  const auto lead = static_cast<uint8_t>(bytes[0]);
  if (lead < 0x80) {
    code = lead;
    return 1;
  }
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes.size() < length) return 0;
  code = lead & (0xff >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    const auto next = static_cast<uint8_t>(bytes[i]);
    if ((next & 0xc0) != 0x80) return 0;
    code = (code << 6) | (next & 0x3f);
  }
  // The smallest code point of each length: anything below is an overlong form.
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return 0;
  return length;
}

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    uint32_t code = 0;
    const size_t length = DecodeUtf8(bytes, code);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string Escape(std::string_view bytes) { return EscapeAll(bytes, false); }

std::string EscapeWord(std::string_view bytes) { return EscapeAll(bytes, true); }

absl::StatusOr<std::string> Unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char kind = ++i < text.size() ? text[i] : '\0';
    if (kind == '\\') {
      out += '\\';
    } else if (kind == 't') {
      out += '\t';
    } else if (kind == 'n') {
      out += '\n';
    } else if (kind == 'r') {
      out += '\r';
    } else if (kind == 'x' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      out += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      return absl::InvalidArgumentError("a backslash must start one of \\\\ \\t \\n \\r \\xNN (as `ls` writes them)");
    }
  }
  return out;
}

}  // namespace leasemap::cli

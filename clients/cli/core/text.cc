#include "clients/cli/core/text.h"

#include <cctype>
#include <cstdint>

#include "absl/status/status.h"
#include "text/utf8.h"

namespace leasemap::cli {
namespace {

constexpr char kHex[] = "0123456789abcdef";

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
    const auto [length, code] = text::First(bytes);
    const std::string_view piece = bytes.substr(0, length == 0 ? 1 : length);
    if (piece == "\\") {
      out += "\\\\";
    } else if (piece == "\t") {
      out += "\\t";
    } else if (piece == "\n") {
      out += "\\n";
    } else if (piece == "\r") {
      out += "\\r";
    } else if (length == 0 || !text::IsPrintable(code) || (space_too && code == ' ')) {
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
      return absl::InvalidArgumentError("a backslash must begin one of \\\\ \\t \\n \\r \\xNN (as `ls` writes them)");
    }
  }
  return out;
}

}  // namespace leasemap::cli

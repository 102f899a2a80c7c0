#include "peer/tls/identity.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace leasemap::tls {
namespace {

constexpr std::string_view kNodePrefix = "leasemap://node/", kClientPrefix = "leasemap://client/";
constexpr size_t kMaxNameBytes = 255;  // as of node IDs and holders
constexpr char kHexDigits[] = "0123456789ABCDEF";

bool IsPlain(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("-._~").find(c) != std::string_view::npos;
}

int ValueOf(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

std::optional<std::string> Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsPlain(text[i])) {
      out.push_back(text[i]);
      continue;
    }
    if (text[i] != '%' || text.size() - i < 3) return std::nullopt;
    const int high = ValueOf(text[i + 1]), low = ValueOf(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    const char byte = static_cast<char>(high << 4 | low);
    if (IsPlain(byte)) return std::nullopt;
    out.push_back(byte);
    i += 2;
  }
  return out;
}

}  // namespace

std::string Escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (IsPlain(c)) {
      out.push_back(c);
    } else {
      out.append({'%', kHexDigits[byte >> 4], kHexDigits[byte & 15]});
    }
  }
  return out;
}

std::string UriOf(const Identity& identity) {
  const std::string_view prefix = identity.kind == Identity::Kind::kNode ? kNodePrefix : kClientPrefix;
  return absl::StrCat(std::string(prefix), Escaped(identity.name));
}

std::optional<Identity> ParseUri(std::string_view uri) {
  Identity identity;
  const bool client = uri.starts_with(kClientPrefix);
  if (!client && !uri.starts_with(kNodePrefix)) return std::nullopt;
  if (client) identity.kind = Identity::Kind::kClient;
  auto name = Unescape(uri.substr((client ? kClientPrefix : kNodePrefix).size()));
  if (!name || name->empty() || name->size() > kMaxNameBytes) return std::nullopt;
  identity.name = *std::move(name);
  return identity;
}

}  // namespace leasemap::tls

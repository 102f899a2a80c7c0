#include "clients/cli/core/own_node.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace leasemap::cli {
namespace {

// Without quotes, and without a comment behind it: a # at its start or after a blank (as server/options.cc reads it).
absl::string_view WithoutQuotes(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (!text.empty() && (text.front() == '"' || text.front() == '\'')) {
    const size_t end = text.find(text.front(), 1);
    return end == absl::string_view::npos ? "" : text.substr(1, end - 1);
  }
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '#' && (i == 0 || absl::ascii_isspace(text[i - 1]))) text = text.substr(0, i);
  }
  return absl::StripAsciiWhitespace(text);
}

}  // namespace

std::string ListenOf(std::string_view config) {
  std::string listen;
  for (absl::string_view line : absl::StrSplit(absl::string_view(config.data(), config.size()), '\n')) {
    size_t equals = line.find('=');
    if (equals == absl::string_view::npos) continue;
    absl::ConsumePrefix(&line, "\xef\xbb\xbf");  // the mark of UTF-8 that some editors write
    equals = line.find('=');
    absl::string_view name = absl::StripAsciiWhitespace(line.substr(0, equals));
    if (absl::StartsWith(name, "--")) name.remove_prefix(2);
    if (name == "listen") listen = std::string(WithoutQuotes(line.substr(equals + 1)));
  }
  return listen;
}

std::string ServerAt(const std::string& listen) {
  const size_t colon = listen.rfind(':');
  if (colon == std::string::npos) return "";
  const std::string host = listen.substr(0, colon), port = listen.substr(colon + 1);
  // Port 0 is one that the kernel chose: nobody can know it from here.
  if (port.empty() || port.find_first_not_of('0') == std::string::npos) return "";
  if (host.empty() || host == "0.0.0.0") return absl::StrCat("127.0.0.1:", port);
  if (host == "[::]") return absl::StrCat("[::1]:", port);
  return listen;
}

}  // namespace leasemap::cli

#include "clients/cli/core/own_node.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace leasemap::cli {

std::string ListenOf(std::string_view config) {
  std::string listen;
  for (absl::string_view line : absl::StrSplit(absl::string_view(config.data(), config.size()), '\n')) {
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos) continue;
    absl::string_view name = absl::StripAsciiWhitespace(line.substr(0, equals));
    if (absl::StartsWith(name, "--")) name.remove_prefix(2);
    if (name == "listen") listen = std::string(absl::StripAsciiWhitespace(line.substr(equals + 1)));
  }
  return listen;
}

std::string ServerAt(const std::string& listen) {
  const size_t colon = listen.rfind(':');
  if (colon == std::string::npos) return "";
  const std::string host = listen.substr(0, colon), port = listen.substr(colon + 1);
  // Port 0 is one that the kernel chose: nobody can know it from here.
  if (port.empty() || port.find_first_not_of("0") == std::string::npos) return "";
  if (host.empty() || host == "0.0.0.0") return absl::StrCat("127.0.0.1:", port);
  if (host == "[::]") return absl::StrCat("[::1]:", port);
  return listen;
}

}  // namespace leasemap::cli

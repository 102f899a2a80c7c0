#include "server/environment.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/options.h"
#include "text/edit_distance.h"

namespace leasemap {
namespace {

constexpr char kPrefix[] = "LEASEMAP_";

// A name that is further from a known one is no slip of the keyboard.
constexpr size_t kMostSlips = 3;

// Variables of the command line in the same container, and of the tests and tools of this project.
bool IsOfOthers(const std::string& name) {
  for (const char* other : {"LEASEMAP_SERVER", "LEASEMAP_HOLDER", "LEASEMAP_BUILD", "LEASEMAP_TEST_IMAGE"}) {
    if (name == other) return true;
  }
  return false;
}

// Kubernetes gives each container variables for the services of its namespace. One named leasemap gives
// LEASEMAP_SERVICE_HOST, LEASEMAP_SERVICE_PORT_GRPC, LEASEMAP_PORT=tcp://…, LEASEMAP_PORT_7400_TCP_ADDR; one named
// leasemap-mesh has MESH_ in between.
bool IsOfKubernetes(const std::string& name, const std::string& value) {
  if (absl::EndsWith(name, "_SERVICE_HOST") || absl::StrContains(name, "_SERVICE_PORT")) return true;
  if (name == "LEASEMAP_PORT" || (absl::EndsWith(name, "_PORT") && absl::StrContains(value, "://"))) return true;
  const size_t port = name.find("_PORT_");
  return port != std::string::npos && port + 6 < name.size() && absl::ascii_isdigit(name[port + 6]);
}

std::string Nearest(const std::string& name) {
  std::string nearest;
  size_t least = kMostSlips + 1;
  const auto look = [&](const std::string& known) {
    if (const size_t slips = text::EditDistance(name, known); slips < least) nearest = known, least = slips;
  };
  look("LEASEMAP_CONFIG");
  for (const Flag& flag : Flags()) look(VariableOf(flag.name));
  return nearest;
}

}  // namespace

std::string VariableOf(const std::string& flag) {
  std::string name = absl::StrCat(kPrefix, absl::AsciiStrToUpper(flag));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::vector<std::string> UnknownVariables(const std::vector<std::string>& environment) {
  std::vector<std::string> warnings;
  for (const std::string& variable : environment) {
    const size_t equals = variable.find('=');
    if (!absl::StartsWith(variable, kPrefix) || equals == std::string::npos) continue;
    const std::string name = variable.substr(0, equals), value = variable.substr(equals + 1);
    const auto& flags = Flags();
    const bool known = name == "LEASEMAP_CONFIG" || std::any_of(flags.begin(), flags.end(), [&](const Flag& f) {
                         return name == VariableOf(f.name);
                       });
    if (known || value.empty() || IsOfOthers(name) || IsOfKubernetes(name, value)) continue;
    const std::string nearest = Nearest(name);
    warnings.push_back(absl::StrCat(
        "leasemapd does not know the variable ", name, " and ignores it; ",
        nearest.empty() ? std::string("leasemapd --help lists the flags") : absl::StrCat("is ", nearest, " meant?")));
  }
  std::sort(warnings.begin(), warnings.end());
  return warnings;
}

}  // namespace leasemap

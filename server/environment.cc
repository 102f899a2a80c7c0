#include "server/environment.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/options.h"

namespace leasemap {
namespace {

constexpr char kPrefix[] = "LEASEMAP_";

// A name that is further from a known one is no slip of the keyboard.
constexpr size_t kMostSlips = 3;

// Of the command line, in the same container; and what the tests and tools of this project read.
bool IsOfOthers(const std::string& name) {
  for (const char* other : {"LEASEMAP_SERVER", "LEASEMAP_HOLDER", "LEASEMAP_BUILD", "LEASEMAP_TEST_IMAGE"}) {
    if (name == other) return true;
  }
  return false;
}

// Kubernetes tells each container of the services of its namespace. One named leasemap gives LEASEMAP_SERVICE_HOST,
// LEASEMAP_SERVICE_PORT_GRPC, LEASEMAP_PORT=tcp://…, LEASEMAP_PORT_7400_TCP_ADDR; one named leasemap-mesh has MESH_ in
// between.
bool IsOfKubernetes(const std::string& name, const std::string& value) {
  if (absl::EndsWith(name, "_SERVICE_HOST") || absl::StrContains(name, "_SERVICE_PORT")) return true;
  if (name == "LEASEMAP_PORT" || (absl::EndsWith(name, "_PORT") && absl::StrContains(value, "://"))) return true;
  const size_t port = name.find("_PORT_");
  return port != std::string::npos && port + 6 < name.size() && absl::ascii_isdigit(name[port + 6]);
}

// How many letters have to be put in, taken out, replaced or swapped with the next (Damerau and Levenshtein).
size_t Slips(const std::string& a, const std::string& b) {
  std::vector<size_t> before, last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({row[j - 1] + 1, last[j] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = std::exchange(last, row);
  }
  return last.back();
}

std::string Nearest(const std::string& name) {
  std::string nearest;
  size_t least = kMostSlips + 1;
  const auto look = [&](const std::string& known) {
    if (const size_t slips = Slips(name, known); slips < least) nearest = known, least = slips;
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
        "the variable ", name, " is none that leasemapd knows, and is ignored; ",
        nearest.empty() ? std::string("leasemapd --help lists the flags") : absl::StrCat("is ", nearest, " meant?")));
  }
  std::sort(warnings.begin(), warnings.end());
  return warnings;
}

}  // namespace leasemap

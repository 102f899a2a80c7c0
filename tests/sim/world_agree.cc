// Whether the hosts agree, in the end or so far.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/sim/checkers/converged.h"
#include "tests/sim/checkers/coverage.h"
#include "tests/sim/checkers/describe.h"
#include "tests/sim/checkers/values.h"
#include "tests/sim/world.h"

namespace leasemap::sim {

std::string World::Unsettled(const std::vector<int>& hosts) const {
  if (hosts.empty()) return "no node lives";
  const auto not_ready = [&](int host) {
    const std::string name = absl::StrCat("node-", host);
    if (!up(host)) return name + " is down";
    const auto& waits = node(host).waits_for();
    return waits.empty() ? name + " is not ready" : absl::StrCat(name, " is not ready: ", waits[0].text);
  };
  if (!ready(hosts.front())) return not_ready(hosts.front());
  const core::Node& first = node(hosts.front());
  for (const int host : hosts) {
    const std::string name = "node-" + std::to_string(host);
    if (!ready(host)) return not_ready(host);
    if (node(host).yielding()) return name + " still takes another map";
    if (!node(host).replica().saved()) return name + " has not saved all that it has";
    if (!node(host).vector().Covers(first.vector()) || !first.vector().Covers(node(host).vector())) {
      return name + " and node-" + std::to_string(hosts.front()) + " cover different writes";
    }
    // The same entries, so those that lapsed differ only in how far each clock is.
    if (node(host).store().live_keys() != first.store().live_keys()) return name + " has other keys lapsed";
  }
  return "";
}

std::string World::CheckWhole(const std::vector<int>& hosts, bool all) const {
  std::vector<Replica> replicas;
  for (const int host : hosts) {
    replicas.push_back(ReplicaOf(node(host)));
    if (auto fault = CoverageChecker::Whole(replicas.back(), checks_.log()); !fault.empty()) {
      return "coverage: " + replicas.back().name + " " + fault;
    }
  }
  for (const int host : hosts) {
    if (auto fault = all ? CheckCameTrue(node(host), checks_.log()) : ""; !fault.empty()) {
      return "values: node-" + std::to_string(host) + " " + fault;
    }
  }
  const auto fault = all ? CheckConverged(replicas, checks_.log()) : CheckAlike(replicas);
  return fault.empty() ? "" : "converged: " + fault;
}

}  // namespace leasemap::sim

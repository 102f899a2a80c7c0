// Hosts, where they run, and what their names stand for: at once, late, nothing, or never anything.
#include <charconv>

#include "peer/core/data/limits.h"
#include "tests/sim/world.h"

namespace leasemap::sim {

// node-7 is host 7, and a seed of that name stands for wherever that host is now.
int HostNamed(const std::string& node) {
  int host = 0;
  std::from_chars(node.data() + 5, node.data() + node.size(), host);
  return host;
}

void World::Move(int host) {
  if (!up(host) && next_place_ < network_.reach().places()) hosts_[host].place = next_place_++;
}

std::vector<int> World::living() const {
  std::vector<int> out;
  for (int host = 0; host < size(); ++host) {
    if (up(host)) out.push_back(host);
  }
  return out;
}

std::vector<int> World::places(const std::vector<int>& hosts) const {
  std::vector<int> out;
  for (const int host : hosts) out.push_back(hosts_[host].place);
  return out;
}

std::vector<std::string> World::AddressesOf(const std::string& name) const {
  std::vector<std::string> all;
  if (name == kHangingName || name == kUnknownName) return all;
  if (name == kDeadName) return {AddressOf(network_.places() - 1)};  // moves seldom go that far
  if (name != kNameOfAll) return {AddressOf(hosts_[HostNamed(name)].place)};
  for (const Host& host : hosts_) all.push_back(AddressOf(host.place));
  return all;
}

}  // namespace leasemap::sim

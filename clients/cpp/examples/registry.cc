// A service registry with ephemeral keys: registry HOST:PORT,HOST:PORT serve NAME ADDRESS | watch [COUNT]
//
// `serve` registers an instance until its standard input ends; an instance whose program died vanishes after four
// seconds. `watch` prints the instances each time they change, until COUNT are there.
#include <cstdlib>
#include <future>
#include <iostream>
#include <string>

#include "leasemap/leasemap.h"

using Instances = leasemap::Registry::InstanceMap;

void Watch(leasemap::Registry& registry, int count) {
  std::promise<void> done;
  bool told = false;
  const leasemap::Subscription changes = registry.OnChange([&](const Instances& instances) {
    if (told) return;
    std::string line;
    for (const auto& [name, address] : instances) {
      line.append(line.empty() ? "" : ", ").append(name).append(" at ").append(address);
    }
    std::cout << (line.empty() ? "none" : line) << std::endl;
    told = static_cast<int>(instances.size()) == count;
    if (told) done.set_value();
  });
  done.get_future().wait();
}

int main(int argc, char** argv) {
  const std::string command = argc > 2 ? argv[2] : "";
  if (command != "watch" && (command != "serve" || argc < 5)) {
    return std::cerr << "usage: registry HOST:PORT,HOST:PORT serve NAME ADDRESS | watch [COUNT]\n", 2;
  }
  leasemap::Client client({argv[1]}, leasemap::FromEnvironment());
  leasemap::Registry registry(client, "example");  // which takes the instance away when it goes
  absl::Status status = registry.WaitSynced();
  if (status.ok() && command == "watch") {
    Watch(registry, argc > 3 ? std::atoi(argv[3]) : -1);  // -1: for ever
  } else if (status.ok()) {
    status = registry.Register(argv[3], argv[4], {.duration = absl::Seconds(4)});
    if (status.ok()) std::cout << argv[3] << " is at " << argv[4] << std::endl;
    while (status.ok() && std::cin.get() != EOF) continue;
  }
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}

// Live configuration: config HOST:PORT,HOST:PORT [set NAME VALUE]
//
// Without `set` it prints the configuration and each change, until the key config/stop is set. Reads are a look into a
// map of this process, so ask for each setting where it is used, and never keep a copy.
#include <future>
#include <iostream>
#include <map>
#include <string>

#include "leasemap/leasemap.h"

std::string Setting(const leasemap::SyncMap& map, const std::string& name) {
  static const std::map<std::string, std::string> kDefaults = {{"color", "blue"}, {"workers", "4"}};
  if (const auto value = map.Get("config/" + name)) return *value;
  const auto found = kDefaults.find(name);
  return found == kDefaults.end() ? "" : found->second;
}

void Follow(leasemap::SyncMap& map) {
  std::promise<void> stop;
  bool stopping = false;
  std::cout << "color " << Setting(map, "color") << ", workers " << Setting(map, "workers") << std::endl;
  const leasemap::Subscription changes = map.OnEvent([&](const leasemap::Event& event) {
    std::cout << event.entry.key << " is now " << event.entry.value << "; color " << Setting(map, "color") << std::endl;
    if (Setting(map, "stop").empty() || stopping) return;
    stopping = true;
    stop.set_value();
  });
  if (Setting(map, "stop").empty()) stop.get_future().wait();
}

int main(int argc, char** argv) {
  if (argc < 2) return std::cerr << "usage: config HOST:PORT,HOST:PORT [set NAME VALUE]\n", 2;
  // No lease: anyone may change a setting at any time.
  leasemap::Client client({argv[1]}, leasemap::FromEnvironment({.lease = absl::ZeroDuration()}));
  absl::Status status;
  if (argc > 4) {
    status = client.Set(std::string("config/") + argv[3], argv[4], {.ack = leasemap::Ack::Majority()}).status();
  } else {
    leasemap::SyncMap map(client, {.prefix = "config/"});
    status = map.WaitSynced();
    if (status.ok()) Follow(map);
  }
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}

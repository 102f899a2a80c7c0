// A counter that many programs count up, guarded by a lease: counter HOST:PORT,HOST:PORT [TIMES]
//
// The lease is on the counter's own key, so the node that grants it has the latest value, too. With Ack::All one
// program at most has it, however many ask for it at the same moment.
#include <cstdlib>
#include <iostream>
#include <string>

#include "leasemap/leasemap.h"

constexpr char kKey[] = "example/counter";

absl::StatusOr<int> Count(leasemap::Client& client) {
  absl::StatusOr<leasemap::Lease> lease = client.Acquire(kKey, {.duration = absl::Seconds(4),
                                                                .persistent = true,
                                                                .wait = absl::InfiniteDuration(),
                                                                .ack = leasemap::Ack::All()});
  if (!lease.ok()) return lease.status();
  const absl::StatusOr<leasemap::Entry> entry = client.Get(kKey, {.min_version = lease->entry().version});
  if (!entry.ok()) return entry.status();
  const int value = std::atoi(entry->value.c_str()) + 1;  // a key that is made for a lease holds its holder's name: 0
  const absl::StatusOr<leasemap::Entry> set = lease->Set(std::to_string(value), {.ack = leasemap::Ack::Majority()});
  if (!set.ok()) return set.status();
  lease->Release().IgnoreError();  // it is set: that the lease was lost since changes nothing
  return value;
}

int main(int argc, char** argv) {
  if (argc < 2) return std::cerr << "usage: counter HOST:PORT,HOST:PORT [TIMES]\n", 2;
  leasemap::Client client({argv[1]}, leasemap::FromEnvironment());
  for (int times = argc > 2 ? std::atoi(argv[2]) : 1; times > 0;) {
    const absl::StatusOr<int> value = Count(client);
    if (value.ok()) {
      std::cout << *value << std::endl;
      --times;
    } else if (leasemap::ReasonOf(value.status()) != leasemap::reason::kLeaseLost) {  // else it is counted again
      return std::cerr << value.status() << "\n", 1;
    }
  }
}

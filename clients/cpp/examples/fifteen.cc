// A leader in fifteen lines: fifteen HOST:PORT,HOST:PORT NAME. It survives kill -9 of leader and node.
#include <iostream>

#include "leasemap/leasemap.h"

int main(int, char** argv) {
  leasemap::Client client({argv[1]});
  leasemap::Election election(client, "leader", argv[2], {.duration = absl::Seconds(4)});
  std::cerr << election.Run([&](leasemap::Lease& lease) {
    std::cout << argv[2] << " leads with token " << lease.fencing_token() << std::endl;
    lease.WaitOver(absl::InfiniteDuration());
    return true;
  });
}

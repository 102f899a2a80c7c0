// One leader among many programs: leader HOST:PORT,HOST:PORT [ROUNDS]
//
// Start it several times, kill the one that leads, or its node: another goes on, and its writes to the ledger carry a
// greater fencing token. The ledger here is in place of any resource outside: it refuses tokens that are smaller than
// one it saw.
#include <cstdlib>
#include <iostream>
#include <string>

#include "leasemap/leasemap.h"

class Ledger {
 public:
  bool Write(const std::string& token, const std::string& line) {
    if (token < greatest_) return false;  // a leader of the past
    greatest_ = token;
    std::cout << line << std::endl;
    return true;
  }

 private:
  std::string greatest_;
};

int main(int argc, char** argv) {
  if (argc < 2) return std::cerr << "usage: leader HOST:PORT,HOST:PORT [ROUNDS]\n", 2;
  int rounds = argc > 2 ? std::atoi(argv[2]) : -1;  // for ever
  Ledger ledger;
  leasemap::Client client({argv[1]}, leasemap::FromEnvironment());
  const auto me = client.Identify();
  if (!me.ok()) return std::cerr << me.status() << "\n", 1;
  leasemap::Election election(client, "example/leader", *me, {.duration = absl::Seconds(4)});
  const absl::Status ended = election.Run([&](leasemap::Lease& lease) {
    std::cout << "leading as " << *me << std::endl;
    for (; rounds != 0 && lease.valid(); --rounds) {
      if (!ledger.Write(lease.fencing_token(), "work done by " + *me)) return false;
      lease.WaitOver(absl::Milliseconds(200));  // in place of a sleep: it ends when the lead is lost
    }
    return rounds != 0;
  });
  if (ended.ok()) return 0;
  std::cerr << ended << "\n";
  return 1;
}

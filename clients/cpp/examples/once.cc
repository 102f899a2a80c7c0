// A cron job that runs once, however many machines start it: once HOST:PORT,HOST:PORT NAME WHEN COMMAND…
//
// Start it from every machine's cron with the same NAME, and a WHEN that says which run it is, as `date +%F`. The one
// that gets the lease runs the command and leaves WHEN as the key's value; the others find it there and do nothing. If
// a machine dies while it runs the command its lease lapses, and another one that waits runs it.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <string>

#include "leasemap/leasemap.h"

// Runs the command, and ends it when the lease is lost: another machine may run it then.
int Run(char** command, leasemap::Lease& lease) {
  const pid_t child = fork();
  if (child == 0) {
    execvp(command[0], command);
    _exit(127);
  }
  lease.OnLost([child](const absl::Status&) { kill(child, SIGTERM); });
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char** argv) {
  if (argc < 5) return std::cerr << "usage: once HOST:PORT,HOST:PORT NAME WHEN COMMAND…\n", 2;
  const std::string name = argv[2], when = argv[3], key = "cron/" + name;
  leasemap::Client client({argv[1]}, leasemap::FromEnvironment());
  absl::StatusOr<leasemap::Lease> lease = client.Acquire(
      key,
      {.persistent = true, .wait = absl::Minutes(1), .ack = leasemap::Ack::All()});  // for one that runs it, or died
  if (const auto held = leasemap::HeldByOf(lease.status())) {
    return std::cout << name << " of " << when << " is being run by " << held->holder << "\n", 0;
  }
  if (!lease.ok()) return std::cerr << lease.status() << "\n", 1;
  const auto entry = client.Get(key, {.min_version = lease->entry().version});
  if (!entry.ok()) return std::cerr << entry.status() << "\n", 1;
  if (entry->value == when) return std::cout << name << " of " << when << " was run already\n", 0;
  const int status = Run(argv + 4, *lease);
  if (status != 0) return status;
  const auto set = lease->Set(when, {.ack = leasemap::Ack::Majority()});
  if (!set.ok()) return std::cerr << set.status() << "\n", 1;
}

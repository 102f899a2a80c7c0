// The commands that hold leases: lock elect keep. Their helps say what a lease promises, and what it does not.
#include <string>

#include "absl/strings/str_cat.h"
#include "clients/cli/grammar.h"

namespace leasemap::cli {
namespace {

// lock and elect say this of leases and of the command; the help wraps it.
constexpr char kPromise[] =
    "It promises this: it renews the lease after each third of its duration, at the next server if one\n"
    "fails. If it cannot renew the lease, it sends the command TERM before three quarters of the duration\n"
    "have passed since the last renewal, and KILL when they have passed. No node lets others in before that.\n"
    "If the lease is lost without warning (somebody deleted the key, or the machine was suspended), it sends\n"
    "TERM at once, and KILL after --grace.\n"
    "\n"
    "It does not promise mutual exclusion. Two sides of a network partition may each grant the lease (with\n"
    "--ack majority only a side with more than half of the members does). Of two that ask different nodes at the\n"
    "same moment each may be told of a majority, and one of them is stopped; --ack all is told to one at most.\n"
    "After a suspended machine wakes up the command runs for a moment although others may have the lease.\n"
    "Therefore give the fencing token, LEASEMAP_FENCING_TOKEN, to each resource that the command changes. A later\n"
    "lease on the key has a greater token, as a string. A resource that refuses a smaller token than it has seen\n"
    "is safe from holders of the past.\n";

constexpr char kVariables[] =
    "The command gets the variables LEASEMAP_FENCING_TOKEN, LEASEMAP_LEASE_KEY, LEASEMAP_LEASE_HOLDER, and\n"
    "LEASEMAP_SERVER for further calls. It runs in a process group of its own. TERM, INT, HUP and QUIT are\n"
    "passed on to the group. If somebody kills leasemap by KILL, the kernel kills the command, but not the\n"
    "processes that the command started. If input and output are a terminal, the command has it, and Ctrl-Z\n"
    "stops both: the lease may lapse meanwhile, and the command then gets TERM before it goes on. The lease is\n"
    "given up when the command itself has ended; processes that it leaves in the background do not count. A\n"
    "command that becomes another user, as by sudo, cannot be stopped: start leasemap as that user.\n";

constexpr char kCodes[] =
    "Exit codes: that of the command, or 128 and the number of the signal that ended it. Else 2 wrong use,\n"
    "123 the lease was lost and the command was stopped, 124 another holder has the lease, 125 a node refused\n"
    "it or none answered, 126 the command cannot be run, 127 it was not found.\n";

constexpr char kHolder[] =
    "The holder is a name of this process alone, unless --holder gives one (LEASEMAP_HOLDER does not count):\n"
    "two processes of one name do not keep each other out.\n";

void AddTtl(CLI::App* command, Options& options) {
  AddDuration(command, "--ttl", options.lease,
              "The duration of the lease, four times the cluster's clock bound at least (2s): how long others wait if "
              "this machine dies (default: 10s)");
}

void AddProgram(CLI::App* command, Options& options, const std::string& about) {
  AddWords(command, "COMMAND", options.program, about);
  AddDuration(command, "--grace", options.grace,
              "The time from TERM to KILL; at most a quarter of --ttl (default: an eighth of it)");
}

void AddLeaseAck(CLI::App* command, Options& options, const std::string& otherwise) {
  AddAck(command, options,
         absl::StrCat("The nodes that must have the lease: local (the asked node), majority, all, or a number of nodes "
                      "(default: ",
                      otherwise, ")"));
}

void AddLock(CLI::App& app, Options& options) {
  CLI::App* lock = AddCommand(
      app, options, kLeases, "lock", "Run a command while holding the lease on a key",
      absl::StrCat("It waits for the lease, runs the command, renews the lease meanwhile, and gives it up at the end.\n"
                   "The key is made for this, and vanishes with the lease.\n\n",
                   kVariables, "\n", kPromise, "\n", kHolder, "\n", kCodes,
                   "\n"
                   "Examples:\n"
                   "  leasemap lock backup -- ./backup.sh\n"
                   "  leasemap lock backup --no-wait -- ./backup.sh\n"
                   "  leasemap lock jobs/report --ttl 30s --wait 5m -- make report"));
  AddKey(lock, options);
  AddProgram(lock, options, "The command and its arguments, after --");
  lock->get_option("COMMAND")->required();
  AddTtl(lock, options);
  AddLeaseAck(lock, options, "majority");
  AddDuration(lock, "--wait", options.wait,
              "How long to wait for another holder, and for nodes to answer (default: for another holder without end, "
              "for nodes --timeout)");
  lock->add_flag("--no-wait", options.no_wait, "Fail at once if another holder has the lease");
}

void AddElect(CLI::App& app, Options& options) {
  CLI::App* elect = AddCommand(
      app, options, kLeases, "elect", "Campaign for the lead of a key, again and again",
      absl::StrCat(
          "With a COMMAND: it runs the command whenever this process leads. If the lead is lost, the command is\n"
          "stopped, and it campaigns again at once. If the command ends by itself, it gives up the lead, waits for\n"
          "a second, so that others get their turn, and campaigns again; with --once it exits with the code of\n"
          "the command instead. After a signal it passes that on to the command, and exits with the code of it.\n"
          "\n"
          "Without: it prints a line `elected TOKEN` when it leads, and `lost WHY` when it does not any more,\n"
          "until a signal ends it; then it gives up the lead.\n"
          "\n"
          "Others read the leader by `leasemap get KEY`. If no node answers at the start it exits. Later it waits.\n\n",
          kVariables, "\n", kPromise, "\n", kHolder, "\nWith a COMMAND: ", kCodes,
          "\n"
          "Examples:\n"
          "  leasemap elect leader\n"
          "  leasemap elect leader --value 10.0.0.1:80 -- ./serve\n"
          "  leasemap elect leader --once -- ./serve"));
  AddKey(elect, options);
  AddProgram(elect, options, "The command and its arguments, after --; without one it prints lines");
  AddText(elect, "--value", options.value, "VALUE", "What others read while this process leads (default: its holder)");
  AddTtl(elect, options);
  AddLeaseAck(elect, options, "majority");
  elect->add_flag("--once", options.once, "Exit when the command has ended by itself, with its code");
}

void AddKeep(CLI::App& app, Options& options) {
  CLI::App* keep = AddCommand(
      app, options, kLeases, "keep", "Keep keys alive until standard input ends",
      "KEY=VALUE sets an ephemeral key and keeps its lease. KEY alone keeps the lease on a key, and leaves the\n"
      "value: the lease must be free, or of this holder (name it by --holder, or LEASEMAP_HOLDER). A key that\n"
      "does not exist is made as an ephemeral one, with the holder for a value. The holder is a name of this\n"
      "process alone by default. It prints a line for each key that it has.\n"
      "\n"
      "When standard input ends it gives the leases up: ephemeral keys vanish at once, and others stay without a\n"
      "lease. TERM, INT, HUP and QUIT do the same. If leasemap is killed, or the machine dies, the leases lapse\n"
      "after --ttl. If a lease is lost, as by a partition, it asks for it again, without end, and sets VALUE again.\n"
      "It does not promise mutual exclusion: two sides of a partition may each grant a lease.\n"
      "\n"
      "A key that contains = cannot be kept. At most 1,000 keys.\n"
      "\n"
      "Exit codes: 0 standard input ended, 1 another holder has a key or a node refused it, 2 wrong use,\n"
      "3 unreachable, 128 and its number after a signal.\n"
      "\n"
      "Examples:\n"
      "  leasemap keep services/web/host-1=10.0.0.1:80\n"
      "  ./serve | leasemap keep services/web/host-1=10.0.0.1:80\n"
      "  exec 3> >(leasemap keep services/web/$HOSTNAME=up)\n"
      "\n"
      "The last one is for a script in bash: the key vanishes when the script ends.");
  AddWords(keep, "KEY", options.keys, "KEY or KEY=VALUE, see below")->required();
  AddTtl(keep, options);
  AddLeaseAck(keep, options, "local");
  AddDuration(keep, "--wait", options.wait,
              "At the start: how long to wait for another holder, and for nodes to answer (default: not at all)");
}

}  // namespace

void AddLeaseCommands(CLI::App& app, Options& options) {
  AddLock(app, options);
  AddElect(app, options);
  AddKeep(app, options);
}

}  // namespace leasemap::cli

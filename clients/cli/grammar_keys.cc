// The commands for single keys: get set del renew release explain.
#include <string>

#include "clients/cli/grammar.h"

namespace leasemap::cli {
namespace {

constexpr char kMinVersion[] = "First wait until the node has the write of this version";

void AddVersions(CLI::App* command, Options& options) {
  AddText(command, "--if-version", options.if_version, "VERSION",
          "Only if this is the key's present version, or the version of the write that set its value");
  AddText(command, "--min-version", options.min_version, "VERSION", kMinVersion);
}

void AddAcks(CLI::App* command, Options& options) {
  AddAck(command, options,
         "The nodes that must have the write before the answer: local (this node, the default), majority, all, or a "
         "number of nodes");
  AddText(command, "--request-id", options.request_id, "NAME",
          "A name for this request: a node that did a request of this name answers it, and does not repeat it");
}

void AddGet(CLI::App& app, Options& options) {
  CLI::App* get =
      AddCommand(app, options, kKeys, "get", "Print the value of a key, or of several keys",
                 "For one key it prints the value. For several it prints a line `KEY<TAB>VALUE` each, in the\n"
                 "order of the arguments and escaped as `leasemap ls` does it. It reports each key that\n"
                 "does not exist, and then exits with 1.\n"
                 "\n"
                 "Examples:\n"
                 "  leasemap get color\n"
                 "  leasemap get color --meta\n"
                 "  leasemap get logo --raw > logo.png\n"
                 "  leasemap get color shape size\n"
                 "  leasemap get color -o json");
  AddWords(get, "KEY", options.keys, "The key, 1 to 4,096 bytes")->required();
  get->add_flag("--meta", options.meta,
                "Also show holder, lease, version, update time, origin and fencing token; other bytes than text are "
                "escaped");
  get->add_flag("--raw", options.raw, "Write exactly the value's bytes, without a newline after them");
  AddText(get, "--min-version", options.min_version, "VERSION", kMinVersion);
}

void AddSet(CLI::App& app, Options& options) {
  CLI::App* set = AddCommand(app, options, kKeys, "set", "Write a key, and take or renew its lease",
                             "VALUE is the value itself, or @FILE for the bytes of a file, or - for standard input.\n"
                             "Without VALUE, standard input is read. A newline at the end is part of the value. Write\n"
                             "a value that begins with @ with one more @, as @@home.\n"
                             "\n"
                             "Examples:\n"
                             "  leasemap set color blue\n"
                             "  leasemap set color red --lease 30s --holder job-7\n"
                             "  leasemap set leader me --if-absent --ephemeral --lease 10s\n"
                             "  leasemap set logo @logo.png\n"
                             "  date | leasemap set now\n"
                             "  leasemap set -- temperature -7");
  set->alias("put");
  AddKey(set, options);
  AddText(set, "VALUE", options.value, "",
          "The value, @FILE, or - (see below); write a value that starts with - after --");
  AddLease(set, options, "--lease-duration of the cluster");
  AddText(set, "--if-version", options.if_version, "VERSION", "Write only if this is the key's present version");
  set->add_flag("--if-absent", options.if_absent, "Write only if the key does not exist");
  set->add_flag("--ephemeral", options.ephemeral, "The key vanishes when its lease lapses or is released");
  AddAcks(set, options);
  set->add_flag("--validate-only", options.validate_only, "Check everything and write nothing");
}

void AddDelete(CLI::App& app, Options& options) {
  CLI::App* del = AddCommand(app, options, kKeys, "del", "Delete a key, several keys, or all keys with a prefix",
                             "It deletes key by key and does not ask. It reports each key that a node refuses to\n"
                             "delete, continues with the others, and then exits with 1.\n"
                             "\n"
                             "Examples:\n"
                             "  leasemap del color\n"
                             "  leasemap del color shape --allow-missing\n"
                             "  leasemap del --prefix jobs/ --holder job-7");
  del->alias("rm");
  AddWords(del, "KEY", options.keys, "The key, 1 to 4,096 bytes");
  AddText(del, "--prefix", options.prefix, "PREFIX", "All keys that start with this, instead of KEY");
  AddText(del, "--if-version", options.if_version, "VERSION", "Delete only if this is the key's present version");
  del->add_flag("--allow-missing", options.allow_missing, "A missing key is no error");
  AddAcks(del, options);
}

void AddRenewAndRelease(CLI::App& app, Options& options) {
  CLI::App* renew = AddCommand(app, options, kKeys, "renew", "Extend the lease on a key, and keep the value",
                               "Examples:\n"
                               "  leasemap renew color\n"
                               "  leasemap renew leader --lease 10s --only-if-held");
  AddKey(renew, options);
  AddLease(renew, options, "the duration that was last asked for");
  renew->add_flag("--only-if-held", options.only_if_held,
                  "Fail if the lease has ended, instead of acquiring a new one");
  AddVersions(renew, options);

  CLI::App* release = AddCommand(app, options, kKeys, "release", "Give up the lease on a key, and keep the value",
                                 "Examples:\n"
                                 "  leasemap release color\n"
                                 "  leasemap release color --holder job-7");
  AddKey(release, options);
  AddVersions(release, options);
}

}  // namespace

void AddKeyCommands(CLI::App& app, Options& options) {
  AddGet(app, options);
  AddSet(app, options);
  AddDelete(app, options);
  AddRenewAndRelease(app, options);
  CLI::App* explain =
      AddCommand(app, options, kKeys, "explain", "Show the entry of a key on each member of the cluster",
                 "Example:\n"
                 "  leasemap explain color");
  AddKey(explain, options);
}

}  // namespace leasemap::cli

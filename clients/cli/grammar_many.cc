// The commands for many keys: ls watch batch export import backup restore.
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/grammar.h"

namespace leasemap::cli {
namespace {

v1::Event::Kind KindOrThrow(const std::string& word) {
  if (word == "set") return v1::Event::KIND_SET;
  if (word == "deleted") return v1::Event::KIND_DELETED;
  if (word == "expired") return v1::Event::KIND_EXPIRED;
  if (word == "lost") return v1::Event::KIND_LOST;
  if (word == "lease") return v1::Event::KIND_LEASE;
  throw CLI::ValidationError("--kinds", absl::StrCat("\"", word, "\" is none of set, deleted, expired, lost, lease"));
}

uint64_t LimitOrThrow(const std::string& text) {
  uint64_t limit = 0;
  if (!absl::SimpleAtoi(text, &limit) || limit == 0) throw CLI::ValidationError("--limit", "must be a number above 0");
  return limit;
}

void AddList(CLI::App& app, Options& options) {
  CLI::App* ls =
      AddCommand(app, options, kManyKeys, "ls", "List keys and values in key order",
                 "A line is `KEY<TAB>VALUE`. Tabs, newlines, characters that do not print and bytes that are\n"
                 "not UTF-8 are escaped, as \\t, \\n and \\x1b, and a backslash as \\\\.\n"
                 "\n"
                 "Examples:\n"
                 "  leasemap ls\n"
                 "  leasemap ls -l\n"
                 "  leasemap ls jobs/ --keys-only\n"
                 "  leasemap ls --start a --end b --limit 10");
  ls->alias("list");
  AddText(ls, "PREFIX", options.prefix, "", "Only keys that start with this");
  AddText(ls, "--start", options.start_key, "KEY", "List this key and those above it");
  AddText(ls, "--end", options.end_key, "KEY", "List only keys below this one");
  ls->add_option_function<std::string>(
        "--limit", [&options](const std::string& text) { options.limit = LimitOrThrow(text); },
        "List at most this many keys")
      ->type_name("NUMBER");
  ls->add_flag("-l,--long", options.long_form,
               "A table with the holder, the time left of the lease, and the version; long values are cut");
  ls->add_flag("--keys-only", options.keys_only, "Leave the values out");
}

void AddWatch(CLI::App& app, Options& options) {
  CLI::App* watch = AddCommand(
      app, options, kManyKeys, "watch", "Print changes as they happen, and reconnect after a failure",
      "A line is `TIME HOLDER KIND KEY VALUE`. TIME is the time of the change (UTC), HOLDER the holder of the "
      "lease, KIND is SET, DELETED, EXPIRED, LOST or LEASE. HOLDER, KEY and VALUE are escaped as "
      "`leasemap ls` does it, and a space in the holder or in the key as \\x20.\n"
      "\n"
      "A cursor is a position in the changes. The file holds the last one whose changes were all printed. "
      "So a watch that is started again misses no change, and may print some changes again.\n"
      "\n"
      "With --exec it runs `sh -c COMMAND` for each event instead, one after another. The command gets the variables "
      "LEASEMAP_EVENT_KIND, LEASEMAP_EVENT_KEY, LEASEMAP_EVENT_VALUE, LEASEMAP_EVENT_VERSION, LEASEMAP_EVENT_HOLDER, "
      "LEASEMAP_EVENT_FENCING_TOKEN and LEASEMAP_EVENT_CURSOR (the last one before the event), and LEASEMAP_SERVER. "
      "Its "
      "standard input is the value, byte for byte. A value over 64 KiB, or with a zero byte, is there alone.\n"
      "\n"
      "If the command fails, the watch ends with its exit code (128 and the number of the signal that ended it), and "
      "the "
      "event counts as not done; with --keep-going the watch reports it, and goes on. With --cursor-file the file says "
      "which events were done: an event is written there when its command has ended with 0. So a watch that is started "
      "again, with the same options, begins with the first event that was not done, misses no change, and repeats "
      "nothing. Only if leasemap is killed, or the machine stops, between the end of a command and that writing is the "
      "event repeated. TERM, INT, HUP and QUIT are passed on to the command; the watch ends when the command has "
      "ended. "
      "While a command takes its time, versions of a key that were replaced meanwhile are skipped.\n"
      "\n"
      "Examples:\n"
      "  leasemap watch\n"
      "  leasemap watch jobs/ --snapshot\n"
      "  leasemap watch jobs/ --snapshot --cursor-file jobs.cursor\n"
      "  leasemap watch --key color --key shape --kinds set,deleted\n"
      "  leasemap watch --key app.conf --snapshot --exec 'cat > app.conf'\n"
      "  leasemap watch jobs/ --cursor-file jobs.cursor --exec ./run-job");
  AddWords(watch, "PREFIX", options.prefixes, "Keys that start with one of these (default: all keys)");
  AddWords(watch, "--key", options.keys, "This key; may be repeated")
      ->type_name("KEY")
      ->expected(1)
      ->allow_extra_args(false);
  watch->add_flag("--snapshot", options.snapshot, "First print the present value of every matching key");
  AddText(watch, "--cursor", options.cursor, "CURSOR",
          "Continue after this cursor, which an earlier watch of the same keys showed, on any node");
  AddText(watch, "--cursor-file", options.cursor_file, "FILE",
          "Keep the cursor in this file, and continue from it; if there is no such file, start a watch (add --snapshot "
          "to print every key first)");
  AddText(watch, "--exec", options.exec, "COMMAND", "Run this command of the shell for each event, and print nothing");
  watch->add_flag("--keep-going", options.keep_going, "With --exec: a command that fails does not end the watch");
  watch->add_flag("--show-cursor", options.show_cursor, "Print cursors, as lines `# cursor CURSOR`");
  watch
      ->add_option_function<std::vector<std::string>>(
          "--kinds",
          [&options](const std::vector<std::string>& words) {
            for (const std::string& word : words) options.kinds.push_back(KindOrThrow(word));
          },
          "The kinds of changes, with commas between them: set, deleted, expired (default: these three), lost, lease "
          "(renewals)")
      ->type_name("KINDS")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->delimiter(',')
      ->expected(1)
      ->allow_extra_args(false);
  watch->add_flag("--keys-only", options.keys_only, "Leave the values out");
}

void AddBatch(CLI::App& app, Options& options) {
  CLI::App* batch =
      AddCommand(app, options, kManyKeys, "batch", "Write many keys, one for each line of standard input",
                 "A line is a JSON object:\n"
                 "  {\"key\":\"k\",\"value\":\"v\",\"lease\":\"30s\",\"holder\":\"h\"}\n"
                 "lease and holder may be left out; give other bytes than text as key_bytes and\n"
                 "value_bytes, in base64. Or a line is KEY<TAB>VALUE, as `leasemap ls` prints it. A batch is\n"
                 "not a transaction: it reports each refused line, and writes the others.\n"
                 "\n"
                 "Examples:\n"
                 "  leasemap batch --lease 0 < settings.tsv\n"
                 "  leasemap --server a:7400 ls | leasemap --server b:7400 batch");
  AddLease(batch, options, "--lease-duration of the cluster");
}

void AddTransfer(CLI::App& app, Options& options) {
  CLI::App* out =
      AddCommand(app, options, kManyKeys, "export", "Write all entries as JSON lines, for import",
                 "A line is an entry, in key order:\n"
                 "  {\"key\":\"k\",\"value\":\"v\",\"holder\":\"h\",\"lease\":\"1h\",\n"
                 "   \"expire_time\":\"...\",\"version\":\"...\",\"update_time\":\"...\"}\n"
                 "Other bytes than text are in key_bytes and value_bytes, in base64. lease is the duration\n"
                 "that the last write asked for. Without a lease it is 0, and expire_time is left out. The\n"
                 "map may change during the export.\n"
                 "\n"
                 "Examples:\n"
                 "  leasemap export > map.jsonl\n"
                 "  leasemap export --prefix jobs/ | leasemap --server b:7400 import");
  AddText(out, "--prefix", options.prefix, "PREFIX", "Only keys that start with this");

  CLI::App* in =
      AddCommand(app, options, kManyKeys, "import", "Write the entries of a file that export made",
                 "Import writes each line by a Set of its own, with the holder and the expire_time of the\n"
                 "line. If the lease has ended, or ends within two seconds, the key gets no lease; an\n"
                 "ephemeral key is then written only with --lease. Import reports each refused line,\n"
                 "continues with the others, and then exits with 1.\n"
                 "\n"
                 "Version, update_time, epoch and fencing token are those of the new write, not those of the file.\n"
                 "\n"
                 "Examples:\n"
                 "  leasemap import map.jsonl\n"
                 "  leasemap import --if-absent --lease 0 < map.jsonl\n"
                 "  leasemap import --holder job-7 map.jsonl");
  AddText(in, "FILE", options.file, "", "The file to read; without FILE, or with -, standard input");
  AddLease(in, options, "until the line's expire_time");
  in->add_flag("--if-absent", options.if_absent, "Write only keys that do not exist, and count the others");
}

void AddBackup(CLI::App& app, Options& options) {
  CLI::App* backup = AddCommand(app, options, kManyKeys, "backup", "Save the whole map to a file",
                                "The file has all of the map: keys, values, leases, versions, deleted keys that are\n"
                                "still kept. It is there as a whole or not at all, and has a checksum.\n"
                                "\n"
                                "Examples:\n"
                                "  leasemap backup map.backup\n"
                                "  leasemap backup - | ssh host 'cat > map.backup'");
  AddText(backup, "FILE", options.file, "", "The file to write; - for standard output")->required();
  CLI::App* restore =
      AddCommand(app, options, kManyKeys, "restore", "Restore the map of a backup",
                 "Into a cluster whose map is empty: the map becomes what it was, with leases and versions. The\n"
                 "cluster should have another name (--cluster); with the name of the backup's cluster it takes\n"
                 "--force, since a node of that one that still has its map would become one with it.\n"
                 "\n"
                 "With --as-new-writes into any cluster: each key is set again, by the rules of any write, with its\n"
                 "holder and what is left of its lease. Restore reports each refused key, continues with the others,\n"
                 "and then exits with 1.\n"
                 "\n"
                 "Examples:\n"
                 "  leasemap restore map.backup\n"
                 "  leasemap restore --as-new-writes map.backup");
  AddText(restore, "FILE", options.file, "", "The file to read; - for standard input")->required();
  restore->add_flag("--force", options.force, "Also into a cluster that has the name of the backup's cluster");
  restore->add_flag("--as-new-writes", options.as_new_writes, "Set each key again, by the rules of any write");
}

}  // namespace

void AddManyKeysCommands(CLI::App& app, Options& options) {
  AddList(app, options);
  AddWatch(app, options);
  AddBatch(app, options);
  AddTransfer(app, options);
  AddBackup(app, options);
}

}  // namespace leasemap::cli

// The commands for many keys: ls watch batch export import.
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
                 "A line is `KEY<TAB>VALUE`; tabs, newlines, other control characters and bytes that are no\n"
                 "UTF-8 are escaped, as \\t, \\n and \\x1b, and a backslash as \\\\.\n"
                 "\n"
                 "Examples:\n"
                 "  leasemap ls\n"
                 "  leasemap ls -l\n"
                 "  leasemap ls jobs/ --keys-only\n"
                 "  leasemap ls --start a --end b --limit 10");
  ls->alias("list");
  AddText(ls, "PREFIX", options.prefix, "", "Only keys that start with this");
  AddText(ls, "--start", options.start_key, "KEY", "The first key wanted");
  AddText(ls, "--end", options.end_key, "KEY", "The first key no longer wanted");
  ls->add_option_function<std::string>(
        "--limit", [&options](const std::string& text) { options.limit = LimitOrThrow(text); }, "The most keys to list")
      ->type_name("NUMBER");
  ls->add_flag("-l,--long", options.long_form,
               "A table with the holder, what is left of the lease, and the version; long values are cut");
  ls->add_flag("--keys-only", options.keys_only, "Leave the values out");
}

void AddWatch(CLI::App& app, Options& options) {
  CLI::App* watch =
      AddCommand(app, options, kManyKeys, "watch", "Print changes as they happen; reconnects by itself",
                 "A line is `TIME HOLDER KIND KEY VALUE`: when it happened (UTC), the holder of the lease that "
                 "it was written under, SET, DELETED, EXPIRED, LOST or LEASE, and the key and the value, escaped as "
                 "`leasemap ls` does it; a space in the holder or in the key is \\x20.\n"
                 "\n"
                 "A cursor says how far the watch has come. The file always holds the last one whose "
                 "changes were printed: a watch that was ended may print some changes again, and misses "
                 "none.\n"
                 "\n"
                 "Examples:\n"
                 "  leasemap watch\n"
                 "  leasemap watch jobs/ --snapshot\n"
                 "  leasemap watch jobs/ --snapshot --cursor-file jobs.cursor\n"
                 "  leasemap watch --key color --key shape --kinds set,deleted");
  AddWords(watch, "PREFIX", options.prefixes, "Keys that start with one of these (without, all keys)");
  AddWords(watch, "--key", options.keys, "This key; may be repeated")
      ->type_name("KEY")
      ->expected(1)
      ->allow_extra_args(false);
  watch->add_flag("--snapshot", options.snapshot, "First print every matching key as it is now");
  AddText(watch, "--cursor", options.cursor, "CURSOR",
          "Go on after this cursor, as an earlier watch of the same keys showed it, on any node");
  AddText(watch, "--cursor-file", options.cursor_file, "FILE",
          "Keep the cursor in this file and go on from it; without the file the watch starts, with --snapshot by every "
          "key");
  watch->add_flag("--show-cursor", options.show_cursor, "Print cursors, as lines `# cursor CURSOR`");
  watch
      ->add_option_function<std::vector<std::string>>(
          "--kinds",
          [&options](const std::vector<std::string>& words) {
            for (const std::string& word : words) options.kinds.push_back(KindOrThrow(word));
          },
          "Only these: set, deleted, expired (the default is all three), lost, lease (renewals); with commas between "
          "them")
      ->type_name("KINDS")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->delimiter(',')
      ->expected(1)
      ->allow_extra_args(false);
  watch->add_flag("--keys-only", options.keys_only, "Leave the values out");
}

void AddBatch(CLI::App& app, Options& options) {
  CLI::App* batch =
      AddCommand(app, options, kManyKeys, "batch", "Write many keys, one a line of standard input",
                 "A line is a JSON object:\n"
                 "  {\"key\":\"k\",\"value\":\"v\",\"lease\":\"30s\",\"holder\":\"h\"}\n"
                 "lease and holder may be left out; bytes are given as key_bytes and value_bytes, in\n"
                 "base64. Or a line is KEY<TAB>VALUE as `leasemap ls` prints it. It is no transaction: a\n"
                 "refused line is reported, and the others are written.\n"
                 "\n"
                 "Examples:\n"
                 "  leasemap batch --lease 0 < settings.tsv\n"
                 "  leasemap --server a:7400 ls | leasemap --server b:7400 batch");
  AddLease(batch, options, "what the cluster was started with");
}

void AddTransfer(CLI::App& app, Options& options) {
  CLI::App* out =
      AddCommand(app, options, kManyKeys, "export", "Write all entries as JSON lines, for import",
                 "A line is an entry, in key order:\n"
                 "  {\"key\":\"k\",\"value\":\"v\",\"holder\":\"h\",\"lease\":\"1h\",\n"
                 "   \"expire_time\":\"...\",\"version\":\"...\",\"update_time\":\"...\"}\n"
                 "Bytes that are no text stand in key_bytes and value_bytes, in base64. lease is for how\n"
                 "long the last write took the lease; it is 0, and expire_time is left out, where there is\n"
                 "none. The map may change while it is exported.\n"
                 "\n"
                 "Examples:\n"
                 "  leasemap export > map.jsonl\n"
                 "  leasemap export --prefix jobs/ | leasemap --server b:7400 import");
  AddText(out, "--prefix", options.prefix, "PREFIX", "Only keys that start with this");

  CLI::App* in =
      AddCommand(app, options, kManyKeys, "import", "Write the entries that export wrote",
                 "Each line is written by a Set of its own, under the lease of the line's holder until the\n"
                 "line's expire_time; a lease that has ended by then, or ends within two seconds, is not\n"
                 "taken. An ephemeral key whose lease has ended is not written, without --lease. Import\n"
                 "reports each line that is refused, goes on, and then exits with 1.\n"
                 "\n"
                 "Import does not carry over version, update_time, epoch and fencing token: each is that of the "
                 "new write.\n"
                 "\n"
                 "Examples:\n"
                 "  leasemap import map.jsonl\n"
                 "  leasemap import --if-absent --lease 0 < map.jsonl\n"
                 "  leasemap import --holder job-7 map.jsonl");
  AddText(in, "FILE", options.file, "", "The file to read; - or none: standard input");
  AddLease(in, options, "until the line's expire_time");
  in->add_flag("--if-absent", options.if_absent, "Write only keys that do not exist; the others are counted");
}

}  // namespace

void AddManyKeysCommands(CLI::App& app, Options& options) {
  AddList(app, options);
  AddWatch(app, options);
  AddBatch(app, options);
  AddTransfer(app, options);
}

}  // namespace leasemap::cli

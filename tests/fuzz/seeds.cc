// Makes the seeds of the fuzz targets with the real encoders: fuzz_seeds FOLDER writes FOLDER/TARGET/NAME. With --check
// it compares instead, and fails where the folder has other files or other bytes.
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "peer/core/data/cursor.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/limits.h"
#include "peer/core/data/message.h"
#include "peer/core/data/node_options.h"
#include "peer/tls/identity.h"
#include "peer/wire/codec.h"
#include "peer/wire/frame.h"
#include "protos/backup_file.h"
#include "server/storage/codec.h"
#include "tests/wire/samples.h"

namespace leasemap::wire {
namespace {

using Seeds = std::map<std::string, std::string>;  // by "target/name"
using Named = std::pair<std::string, core::Message>;

constexpr int64_t kWallMs = 1'700'000'000'000;  // the clock of the node in fuzz_handshake.cc

// Messages without anything in them.
std::vector<Named> Bare() {
  const auto vector = std::make_shared<const core::VersionVector>();
  return {
      {"bare_hello", core::Hello{}},
      {"bare_accept", core::Accept{}},
      {"bare_refuse", core::Refuse{}},
      {"bare_ping", core::Ping{}},
      {"bare_pong", core::Pong{}},
      {"bare_report", core::Report{}},
      {"bare_live", core::Live{}},
      {"bare_session_request", core::SessionRequest{1, vector, {}}},
      {"bare_session_entries", core::SessionEntries{1, {}}},
      {"bare_session_end", core::SessionEnd{1, vector, vector}},
      {"bare_broadcast", core::Broadcast{}},
      {"bare_query", core::Query{}},
      {"bare_query_reply", core::QueryReply{}},
  };
}

std::string Framed(Encoder& encoder, const core::Message& message) {
  std::string all;
  for (const std::string& frame : encoder.Encode(message)) all += frame;
  return all;
}

core::Hello PeerHello() {
  core::Hello hello;
  hello.cluster = "leasemap";
  hello.period_ms = core::NodeOptions().rules.period_ms;
  hello.self = {"peer", 3};
  hello.wall_ms = kWallMs;
  hello.advertise = "127.0.0.1:9";
  hello.has_map = true;
  return hello;
}

core::VectorPtr PeerVector(uint64_t seq) {
  core::VersionVector vector;
  if (seq > 0) vector.Add({"peer", 3}, 1, seq);
  return std::make_shared<const core::VersionVector>(std::move(vector));
}

core::Report PeerReport(uint64_t seq) {
  core::Report report;
  report.vector = PeerVector(seq);
  report.floor = std::make_shared<const core::VersionVector>();
  report.whole = true;
  report.keys = seq;
  report.peers = std::make_shared<const core::Peers>(core::Peers{{{{"peer", 3}, "127.0.0.1:9", 2}}, {"n"}});
  return report;
}

core::EntryPtr PeerEntry(uint64_t seq, const std::string& key) {
  core::Entry entry;
  entry.key = key;
  entry.value = "blue";
  entry.value_is_text = true;
  entry.lease = {"peer", 1, kWallMs / 1000, 3'600'000, kWallMs + 3'600'000, true};
  entry.dot = {{"peer", 3}, seq};
  entry.stamp = 1;
  entry.value_dot = entry.dot;
  entry.value_stamp = entry.stamp;
  return std::make_shared<const core::Entry>(std::move(entry));
}

core::EntryPtr PeerTombstone(uint64_t seq, const std::string& key) {
  core::Entry entry = *PeerEntry(seq, key);
  entry.value = {};
  entry.tombstone = true;
  return std::make_shared<const core::Entry>(std::move(entry));
}

// What a stranger says, from its Hello on.
std::vector<std::pair<std::string, std::vector<core::Message>>> Talks() {
  const core::Accept accept{kWallMs + 10, PeerReport(2)};
  core::Hello other_cluster = PeerHello(), no_leasing = PeerHello(), old = PeerHello(), future = PeerHello(),
              late = PeerHello(), same_name = PeerHello(), nameless = PeerHello();
  other_cluster.cluster = "other";
  no_leasing.leasing = false;
  old.protocol_max = 1;
  future.protocol_min = future.protocol_max = 99;
  late.wall_ms -= 3'600'000;
  same_name.self = {"n", 7};
  nameless.self = {};
  core::Accept unnamed_floor = accept, later_self = accept, late_accept = accept;
  unnamed_floor.report.floor = std::make_shared<const core::VersionVector>(*PeerVector(9));
  core::VersionVector ours;
  ours.Add({"n", UINT64_MAX / 2}, 1, 5);
  later_self.report.vector = std::make_shared<const core::VersionVector>(std::move(ours));
  late_accept.wall_ms -= 3'600'000;
  core::Report more = PeerReport(4);
  more.relays = {{{"third", 5}, PeerVector(1)}};
  return {
      {"up", {PeerHello(), accept}},
      {"up_old", {old, accept, core::Live{{PeerEntry(3, "k")}, false}}},
      {"live", {PeerHello(), accept, core::Live{{PeerEntry(3, "k"), PeerTombstone(4, "gone")}, true}}},
      {"live_of_our_key", {PeerHello(), accept, core::Live{{PeerEntry(3, "mine")}, false}}},
      {"live_gap", {PeerHello(), accept, core::Live{{PeerEntry(9, "k")}, false}}},
      {"reports", {PeerHello(), accept, PeerReport(3), more}},
      {"report_before_accept", {PeerHello(), PeerReport(3)}},
      {"session_asked", {PeerHello(), accept, core::SessionRequest{1, PeerVector(0), {}}}},
      {"session_by_hashes",
       {PeerHello(), accept, core::SessionRequest{1, PeerVector(2), std::vector<uint64_t>(core::kHashBuckets, 11)}}},
      {"session_served",
       {PeerHello(), accept, core::SessionEntries{1, {PeerEntry(1, "a"), PeerTombstone(2, "b")}},
        core::SessionEnd{1, PeerVector(2)}}},
      {"session_of_another_number", {PeerHello(), accept, core::SessionEnd{7, PeerVector(2)}}},
      {"pings", {PeerHello(), accept, core::Ping{1}, core::Pong{1'000, kWallMs}, core::Pong{1, kWallMs / 2}}},
      {"ping_before_accept", {PeerHello(), core::Ping{1}, accept}},
      {"query", {PeerHello(), accept, core::Query{1, "mine"}, core::Query{2, "none"}}},
      {"query_reply", {PeerHello(), accept, core::QueryReply{1, PeerEntry(1, "mine"), PeerVector(1)}}},
      {"broadcast", {PeerHello(), accept, core::Broadcast{"hi"}}},
      {"refuse_other_cluster", {PeerHello(), core::Refuse{"CLUSTER_MISMATCH", "why", true}}},
      {"refuse_self", {PeerHello(), core::Refuse{"SELF", "", false}}},
      {"refuse_duplicate_link", {PeerHello(), core::Refuse{"DUPLICATE_LINK", "peer", true}}},
      {"refuse_when_up", {PeerHello(), accept, core::Refuse{"CLOCK_MISMATCH", "why", true}}},
      {"no_hello", {accept}},
      {"two_hellos", {PeerHello(), PeerHello()}},
      {"two_accepts", {PeerHello(), accept, accept}},
      {"other_cluster", {other_cluster}},
      {"no_leasing", {no_leasing}},
      {"future_protocol", {future}},
      {"late_clock", {late}},
      {"late_clock_in_accept", {PeerHello(), late_accept}},
      {"our_name", {same_name}},
      {"no_name", {nameless}},
      {"floor_of_nothing", {PeerHello(), unnamed_floor}},
      {"knows_a_later_self", {PeerHello(), later_self}},
  };
}

void AddCodec(Seeds& seeds) {
  std::vector<Named> all = Samples();
  for (Named& bare : Bare()) all.push_back(std::move(bare));
  for (const auto& [name, message] : all) {
    const auto frames = Encoder().Encode(message);
    seeds["fuzz_codec/" + name] = frames.front().substr(4);  // without the length
  }
  // The second report on a link says only what changed.
  Encoder encoder;
  encoder.Encode(PeerReport(1));
  seeds["fuzz_codec/report_change"] = encoder.Encode(PeerReport(2)).front().substr(4);
}

void AddRights(Seeds& seeds) {
  const std::string alice = "principal { name: \"alice\" token_sha256: \"" + std::string(64, '5') + "\" ";
  seeds["fuzz_rights/one"] = alice + "certificate: \"a\" grant { prefix: \"config/\" right: [READ, WRITE] } }";
  seeds["fuzz_rights/all"] = alice + R"(grant { prefix_bytes: "\xff\000" right: READ } grant { prefix: "" right: ADMIN }
    lease_as: "job-7" lease_as: "*" limits { keys: 1 bytes: 2 watches: 3 connections: 4 } })";
  seeds["fuzz_rights/two"] = alice + "}\n# a comment\nprincipal { name: \"bob\" certificate: \"b\" }";
  seeds["fuzz_rights/twice"] = alice + "} " + alice + "}";
  seeds["fuzz_rights/no_prefix"] = alice + "grant { right: READ } }";
  seeds["fuzz_rights/unknown_right"] = alice + "grant { prefix: \"\" right: OWN } }";
  seeds["fuzz_rights/open"] = alice;
}

void AddFrames(Seeds& seeds) {
  // The first byte is one less than the size of the pieces in which the rest comes.
  std::string all;
  Encoder encoder;
  for (const auto& [name, message] : Samples()) {
    const std::string bytes = Framed(encoder, message);
    seeds["fuzz_frames/" + name] = std::string(1, '\xff') + bytes;
    if (bytes.size() < 1000) all += bytes;
  }
  for (const int step : {1, 2, 16, 256}) {
    seeds["fuzz_frames/all_in_steps_of_" + std::to_string(step)] = std::string(1, static_cast<char>(step - 1)) + all;
  }
  seeds["fuzz_frames/empty"] = std::string(1, '\xff') + std::string(4, '\0');
  seeds["fuzz_frames/too_long"] = std::string("\xff\x7f\xff\xff\xff", 5) + "body";
  seeds["fuzz_frames/at_the_limit"] = std::string("\xff\x00\x00\x40\x00", 5) + "body";
  seeds["fuzz_frames/cut"] = "\xff" + all.substr(0, all.size() / 2);
  seeds["fuzz_frames/http_1"] = "\xffGET / HTTP/1.1\r\nHost: a\r\n\r\n";
  seeds["fuzz_frames/http_2"] = "\xffPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  seeds["fuzz_frames/tls"] = std::string("\xff\x16\x03\x01\x00\x05hello", 11);
}

void AddCursors(Seeds& seeds) {
  core::VersionVector plain, gaps, past;
  plain.Add({"node-1", 42}, 1, 7);
  gaps = plain;
  gaps.Add({"node-2", 43}, 1, 3);
  gaps.Add({"node-2", 43}, 5, 9);
  gaps.Add({"node-2", 43}, UINT64_MAX - 1, UINT64_MAX - 1);
  past = gaps;
  past.Fold({{"node-1", 42}});
  const std::vector<std::pair<std::string, core::Cursor>> cursors = {
      {"default", {}},
      {"empty_vector", {"leasemap", {}, kWallMs, 1}},
      {"plain", {"leasemap", plain, kWallMs, 0x0123456789abcdef}},
      {"gaps", {"leasemap", gaps, kWallMs, 1}},
      {"past", {"leasemap", past, kWallMs, 1}},
      {"early", {"leasemap", plain, -1, 0}},
      {"long_name", {std::string(255, 'c'), plain, kWallMs, UINT64_MAX}},
  };
  for (const auto& [name, cursor] : cursors) {
    const std::string text = EncodeCursor(cursor);
    seeds["fuzz_cursor/cursor_" + name] = text;
    seeds["fuzz_cursor/cursor_" + name + "_cut"] = text.substr(0, text.size() - 1);
    seeds["fuzz_cursor/cursor_" + name + "_changed"] = (text[0] == 'A' ? 'B' : 'A') + text.substr(1);
  }
  const std::vector<std::pair<std::string, core::Dot>> dots = {
      {"first", {{"n", 1}, 1}},
      {"usual", {{"node-1", 1'782'586'079'358'635'906}, 1'000'000}},
      {"last", {{std::string(255, 'n'), UINT64_MAX}, UINT64_MAX}},
      {"none", {{"", 0}, 0}},
  };
  for (const auto& [name, dot] : dots) {
    const std::string text = VersionOf(dot);
    seeds["fuzz_cursor/version_" + name] = text;
    seeds["fuzz_cursor/version_" + name + "_more"] = text + "A";
  }
  seeds["fuzz_cursor/empty"] = "";
  seeds["fuzz_cursor/no_base64"] = "a version?";
}

void AddIdentities(Seeds& seeds) {
  using tls::Identity;
  const std::string node = UriOf(Identity{Identity::Kind::kNode, "node-1.a_b~"});
  seeds["fuzz_identity/node"] = node;
  seeds["fuzz_identity/client"] = UriOf(Identity{Identity::Kind::kClient, "a b/\xc3\xbc%"});
  seeds["fuzz_identity/long"] = UriOf(Identity{Identity::Kind::kNode, std::string(255, '%')});
  seeds["fuzz_identity/cut"] = "leasemap://node/%4";
  seeds["fuzz_identity/more"] = node + "/";
  seeds["fuzz_identity/lower_case"] = "leasemap://node/%c3";
}

void AddBackups(Seeds& seeds) {
  BackupWriter writer;
  storage::v1::BackupHeader header;
  header.set_cluster("leasemap");
  std::string file = writer.Begin(header);
  storage::v1::BackupEntries entries;
  entries.add_entries()->set_key("k");
  file += writer.Add(entries) + writer.End({});
  // The first byte is one less than the size of the pieces in which the rest comes.
  seeds["fuzz_backup/whole"] = "\xff" + file;
  seeds["fuzz_backup/in_steps_of_1"] = std::string(1, '\0') + file;
  seeds["fuzz_backup/cut"] = "\xff" + file.substr(0, file.size() - 1);
  seeds["fuzz_backup/more"] = "\xff" + file + "x";
  seeds["fuzz_backup/later"] = "\xffLEASEMAP BACKUP 2\n";
  seeds["fuzz_backup/long_record"] = "\xff" + std::string(kBackupLine) + "\xff\xff\xff\xff\x7f";
}

// The first byte is the kind of the record.
void AddStorage(Seeds& seeds) {
  core::Image image;
  image.incarnation = 7;
  image.whole = true;
  image.vector = *PeerVector(5);
  image.vector.Add({"old", 1}, 1, 3);
  image.vector.Fold({{"old", 1}});
  image.floor = *PeerVector(2);
  image.members = {{{"b", 4}, "10.0.0.1:7401", 2}};
  seeds["fuzz_storage/entry"] = std::string(1, '\0') + storage::EncodeEntry(*PeerEntry(3, "k"));
  seeds["fuzz_storage/tombstone"] = std::string(1, '\0') + storage::EncodeEntry(*PeerTombstone(4, "k"));
  seeds["fuzz_storage/conflict"] = "\1" + storage::EncodeConflict({PeerEntry(1, "k"), PeerEntry(2, "k"), kWallMs});
  seeds["fuzz_storage/image"] = "\2" + storage::EncodeImage(image);
  seeds["fuzz_storage/no_image"] = "\2" + storage::EncodeImage({});
}

// Six bytes are an entry (fuzz_merge.cc).
void AddMerges(Seeds& seeds) {
  seeds["fuzz_merge/one"] = std::string("\0\1\1\1\1\0", 6);
  seeds["fuzz_merge/a_renewal"] = std::string("\0\1\1\1\1\0\0\1\1\2\1\2", 12);
  std::string all;
  for (int i = 0; i < 64; ++i)
    all += {static_cast<char>(i % 3), static_cast<char>(i % 7), static_cast<char>(i % 5),
            static_cast<char>(i),     static_cast<char>(i / 4), static_cast<char>(i % 9)};
  seeds["fuzz_merge/many"] = all;
}

void AddConfigs(Seeds& seeds) {
  seeds["fuzz_config/some"] =
      "# a comment\nnode-id = n1\nseeds = \"a:1, b:2\"  # two\n--leasing=off\nlisten=[::1]:7400\n";
  seeds["fuzz_config/unknown"] = "colour = blue\n";
  seeds["fuzz_config/open_quotes"] = "cluster = 'c\n";
  seeds["fuzz_config/mark"] = "\xef\xbb\xbflease-duration = 1h30m\nmax-bytes = 512MiB\n";
  seeds["fuzz_config/no_equals"] = "leasing\n";
}

void AddImports(Seeds& seeds) {
  seeds["fuzz_import/export_line"] =
      R"({"key":"k","value":"v","holder":"n1","lease":"1h","expire_time":"2023-11-14T23:13:20Z","version":"x"})";
  seeds["fuzz_import/ephemeral"] = R"({"key":"k","value":"","holder":"h","lease":"30s","on_lapse":"delete"})";
  seeds["fuzz_import/bytes"] = R"({"key_bytes":"/w==","value_bytes":"AAD/","lease":"0"})";
  seeds["fuzz_import/escapes"] = R"({"key":"\u00fc\ud83d\ude00","value":"\n\"\\/"})";
  seeds["fuzz_import/half_an_escape"] = R"({"key":"\ud83d","value":"v"})";
  seeds["fuzz_import/unknown_field"] = R"({"key":"k","value":"v","colour":"blue"})";
  seeds["fuzz_import/open"] = R"({"key":"k)";
  seeds["fuzz_import/tab"] = "key\\t\tvalue\\x41";
  seeds["fuzz_import/backup_entry"] = storage::EncodeEntry(*PeerEntry(3, "k"));
}

Seeds All() {
  Seeds seeds;
  AddImports(seeds);
  AddIdentities(seeds);
  AddBackups(seeds);
  AddStorage(seeds);
  AddCodec(seeds);
  AddFrames(seeds);
  AddRights(seeds);
  AddMerges(seeds);
  AddConfigs(seeds);
  AddCursors(seeds);
  for (const auto& [name, talk] : Talks()) {
    Encoder encoder;
    std::string bytes;
    for (const core::Message& message : talk) bytes += Framed(encoder, message);
    seeds["fuzz_handshake/" + name] = std::move(bytes);
  }
  return seeds;
}

std::string Read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

int Check(const Seeds& seeds, const std::filesystem::path& folder) {
  int differ = 0;
  const auto say = [&](const std::string& name, const char* what) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), what);
    ++differ;
  };
  for (const auto& [name, bytes] : seeds) {
    if (!std::filesystem::exists(folder / name)) {
      say(name, "the file is missing");
    } else if (Read(folder / name) != bytes) {
      say(name, "the file has other bytes");
    }
  }
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = std::filesystem::relative(file.path(), folder).string();
    if (file.is_regular_file() && !seeds.contains(name)) say(name, "no seed has this name");
  }
  if (differ > 0) std::fprintf(stderr, "run `tools/fuzz.sh --seeds`, which makes the seeds again\n");
  return differ > 0 ? 1 : 0;
}

int Write(const Seeds& seeds, const std::filesystem::path& folder) {
  std::filesystem::remove_all(folder);
  for (const auto& [name, bytes] : seeds) {
    std::filesystem::create_directories((folder / name).parent_path());
    std::ofstream out(folder / name, std::ios::binary);
    out << bytes;
    if (!out.flush()) {
      std::fprintf(stderr, "can't write %s\n", (folder / name).c_str());
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace leasemap::wire

int main(int argc, char** argv) try {
  const bool check = argc == 3 && std::strcmp(argv[1], "--check") == 0;
  if (argc != 2 && !check) {
    std::fprintf(stderr, "usage: %s [--check] FOLDER\n", argv[0]);
    return 2;
  }
  const auto seeds = leasemap::wire::All();
  return check ? leasemap::wire::Check(seeds, argv[2]) : leasemap::wire::Write(seeds, argv[1]);
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

#include "tests/wire/samples.h"

#include <cstdint>
#include <memory>

#include "peer/core/data/limits.h"

namespace leasemap::wire {
namespace {

core::VectorPtr Vector() {
  core::VersionVector vector;
  vector.Add({"a", 5}, 1, 10);
  vector.Add({"b", 2}, 1, 3);
  vector.Fold({{"a", 5}});
  vector.Add({"b", 2}, 6, 9);
  vector.Add({"c", 7}, 4, 4);
  return std::make_shared<const core::VersionVector>(std::move(vector));
}

core::EntryPtr Entry() {
  core::Entry entry;
  entry.key = std::string("k\0\xff", 3);
  entry.value = "blue";
  entry.value_is_text = true;
  entry.ephemeral = true;
  entry.lease = {"holder-1", 77, 1'700'000'000, 3'600'000, 1'700'003'600'000, true};
  entry.dot = {{"node-1", 42}, 7};
  entry.stamp = 99;
  entry.request = 0xfedcba9876543210;
  entry.value_dot = {{"node-2", 41}, 3};
  entry.value_stamp = 98;
  return std::make_shared<const core::Entry>(std::move(entry));
}

core::EntryPtr Tombstone() {
  core::Entry entry;
  entry.key = "gone";
  entry.tombstone = true;
  entry.lease = {"h", 78, 1, 2, 3, false};
  entry.dot = {{"node-1", 42}, 8};
  entry.stamp = 100;
  return std::make_shared<const core::Entry>(std::move(entry));
}

core::EntryPtr ValueGone() {
  core::Entry entry = *Entry();
  entry.value = {};
  entry.value_is_text = false;
  entry.value_gone = true;
  return std::make_shared<const core::Entry>(std::move(entry));
}

core::EntryPtr ValueLeftOut() {
  core::Entry entry = *Entry();
  entry.value = {};
  entry.value_left_out = true;
  return std::make_shared<const core::Entry>(std::move(entry));
}

core::Report Report() {
  core::Report report;
  report.vector = Vector();
  report.cut_short = true;
  report.floor = Vector();
  report.whole = report.settled = report.holds_map = report.disk_stopped = true;
  report.keys = 12;
  report.map_hash = 0x0123456789abcdef;
  report.rights_hash = 0x0fedcba987654321;
  report.ceiling_ms = 1'900'000'000'123;
  report.collected_epoch = 13;
  report.peers = std::make_shared<core::Peers>(core::Peers{{{{"a", 1}, "10.0.0.1:7401", 2}}, {"a", "b"}});
  report.relays = {{{"b", 2}, Vector()}};
  return report;
}

core::Hello Hello() {
  core::Hello hello;
  hello.protocol_min = 2;
  hello.protocol_max = 6;
  hello.cluster = "c";
  hello.leasing = true;
  hello.period_ms = 5000;
  hello.self = {"n", 3};
  hello.wall_ms = 12345;
  hello.advertise = "h:1";
  hello.has_map = true;
  return hello;
}

}  // namespace

std::vector<std::pair<std::string, core::Message>> Samples() {
  return {
      {"hello", Hello()},
      {"accept", core::Accept{6, Report()}},
      {"refuse", core::Refuse{"REASON", "why", true}},
      {"ping", core::Ping{9}},
      {"pong", core::Pong{9, 8}},
      {"report", Report()},
      {"live", core::Live{{Entry(), Tombstone(), ValueLeftOut()}, true}},
      {"session_request", core::SessionRequest{4, Vector(), std::vector<uint64_t>(core::kHashBuckets, 11)}},
      {"session_entries", core::SessionEntries{4, {Entry(), Tombstone(), ValueGone()}}},
      {"session_end", core::SessionEnd{4, Vector(), Vector()}},
      {"broadcast", core::Broadcast{"hi"}},
      {"query", core::Query{10, "k"}},
      {"query_reply", core::QueryReply{10, ValueGone(), Vector()}},
  };
}

}  // namespace leasemap::wire

// Watch over gRPC: snapshot, cursors, resume on another node, the end by a drain.
#include "tests/matchers/status.h"
#include "tests/rpc/one_node.h"

namespace leasemap::rpc {
namespace {

// One watch read message by message; reading blocks until something comes, bounded by the deadline.
struct Watching {
  Watching(OneNode& node, const v1::WatchRequest& request) {
    context.set_deadline(std::chrono::system_clock::now() + testing::kBound);
    stream = node.kv->Watch(&context, request);
  }
  ~Watching() { context.TryCancel(); }
  // Reads until `done`; false if the stream ended before.
  template <typename F>
  bool Until(F done) {
    v1::WatchResponse response;
    while (!done(*this)) {
      if (!stream->Read(&response)) return false;
      for (const auto& event : response.events()) events.push_back(event);
      if (!response.cursor().empty()) {
        cursor = response.cursor();
        at_cursor = events.size();
      }
      snapshot |= response.snapshot_end();
    }
    return true;
  }
  grpc::Status End() {
    Until([](auto&) { return false; });
    return stream->Finish();
  }

  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> stream;
  std::vector<v1::Event> events;
  std::string cursor;
  size_t at_cursor = 0;  // events that the cursor covers
  bool snapshot = false;
};

v1::WatchRequest Snapshot(const std::string& prefix = "") {
  v1::WatchRequest request;
  request.set_include_snapshot(true);
  if (!prefix.empty()) request.add_prefixes(prefix);
  return request;
}

TEST(Watch, SnapshotThenChangesThenDeletes) {
  OneNode node;
  ASSERT_THAT(node.Set("a/1", "1"), IsOk());
  ASSERT_THAT(node.Set("b/1", "other"), IsOk());
  Watching watch(node, Snapshot("a/"));
  ASSERT_TRUE(watch.Until([](auto& w) { return w.snapshot; }));
  EXPECT_EQ(watch.events.size(), 1u);
  EXPECT_FALSE(watch.cursor.empty());
  ASSERT_THAT(node.Set("a/2", "2"), IsOk());
  ASSERT_THAT(node.Delete("a/1"), IsOk());
  ASSERT_TRUE(watch.Until([](auto& w) { return w.events.size() >= 3; }));
  EXPECT_EQ(watch.events[1].entry().value(), "2");
  EXPECT_EQ(watch.events[2].kind(), v1::Event::KIND_DELETED);
  EXPECT_TRUE(watch.events[2].entry().deleted());
}

TEST(Watch, RenewalsComeToWhoAsksForThem) {
  OneNode node;
  ASSERT_THAT(node.Set("k", "1"), IsOk());
  auto all = Snapshot();
  for (const auto kind : {v1::Event::KIND_SET, v1::Event::KIND_LEASE}) all.add_kinds(kind);
  Watching quiet(node, Snapshot()), full(node, all);
  ASSERT_TRUE(quiet.Until([](auto& w) { return w.snapshot; }));
  ASSERT_TRUE(full.Until([](auto& w) { return w.snapshot; }));
  grpc::ClientContext context;
  v1::RenewRequest renew;
  renew.set_key("k");
  v1::RenewResponse renewed;
  ASSERT_THAT(node.kv->Renew(&context, renew, &renewed), IsOk());
  ASSERT_TRUE(full.Until([](auto& w) { return w.events.size() >= 2; }));
  EXPECT_EQ(full.events[1].kind(), v1::Event::KIND_LEASE);
  EXPECT_EQ(full.events[1].entry().version(), renewed.entry().version());
  ASSERT_THAT(node.Set("k", "2"), IsOk());
  ASSERT_TRUE(quiet.Until([](auto& w) { return w.events.size() >= 2; }));
  EXPECT_EQ(quiet.events[1].entry().value(), "2");  // and nothing before it
}

TEST(Watch, WithoutSnapshotTheFirstMessageIsACursorAtTheHead) {
  OneNode node;
  ASSERT_THAT(node.Set("k", "old"), IsOk());
  Watching watch(node, {});
  ASSERT_TRUE(watch.Until([](auto& w) { return !w.cursor.empty(); }));
  EXPECT_TRUE(watch.events.empty());
  EXPECT_FALSE(watch.snapshot);
}

TEST(Watch, ResumesOnAnotherNodeWithNothingLostOrRepeated) {
  OneNode a("a");
  OneNode b("b", {a.mesh_address()});
  ASSERT_THAT(a.Set("k/1", "1"), IsOk());
  auto first = std::make_unique<Watching>(a, Snapshot("k/"));
  ASSERT_TRUE(first->Until([](auto& w) { return w.snapshot && !w.cursor.empty(); }));
  ASSERT_EQ(first->at_cursor, 1u);
  v1::WatchRequest resume;
  resume.add_prefixes("k/");
  resume.set_cursor(first->cursor);
  first.reset();
  ASSERT_THAT(a.Set("k/2", "2"), IsOk());
  ASSERT_THAT(a.Delete("k/1"), IsOk());
  Watching second(b, resume);
  ASSERT_TRUE(second.Until([](auto& w) { return w.events.size() >= 2 && !w.cursor.empty(); }));
  ASSERT_EQ(second.events.size(), 2u);
  EXPECT_EQ(second.events[0].entry().key(), "k/2");
  EXPECT_EQ(second.events[1].kind(), v1::Event::KIND_DELETED);
}

TEST(Watch, BadRequestsNameTheirReason) {
  OneNode node;
  Watching one(node, Snapshot("a"));
  ASSERT_TRUE(one.Until([](auto& w) { return !w.cursor.empty(); }));
  const auto reason = [&](auto change) {
    v1::WatchRequest request;
    change(request);
    Watching watch(node, request);
    return ReasonOf(watch.End());
  };
  EXPECT_EQ(reason([](auto& r) { r.set_cursor("junk"); }), "CURSOR_INVALID");
  EXPECT_EQ(reason([&](auto& r) { r.set_cursor(one.cursor); }), "CURSOR_INVALID");  // of another filter
  EXPECT_EQ(reason([&](auto& r) { r.set_cursor(one.cursor), r.add_prefixes("a"), r.set_include_snapshot(true); }),
            "REQUEST_INVALID");
  EXPECT_EQ(reason([](auto& r) { r.add_kinds(v1::Event::KIND_UNSPECIFIED); }), "REQUEST_INVALID");
  EXPECT_EQ(reason([](auto& r) { r.add_keys(""); }), "KEY_INVALID");
}

TEST(Watch, AnEphemeralKeyVanishesWithOneEvent) {
  OneNode node;
  v1::SetRequest request;
  request.set_key("k");
  request.set_value("v");
  request.mutable_lease_duration()->set_seconds(2);  // the shortest that is allowed
  request.set_on_lapse(v1::ON_LAPSE_DELETE);
  v1::Entry written;
  ASSERT_THAT(node.Set(request, &written), IsOk());
  v1::WatchRequest only = Snapshot();
  only.add_kinds(v1::Event::KIND_EXPIRED);
  Watching all(node, Snapshot()), lapses(node, only);
  ASSERT_TRUE(all.Until([](auto& w) { return w.events.size() == 1; }));
  ASSERT_TRUE(lapses.Until([](auto& w) { return w.events.size() == 1; }));
  EXPECT_EQ(lapses.events[0].kind(), v1::Event::KIND_EXPIRED);
  EXPECT_EQ(lapses.events[0].entry().version(), written.version());
  EXPECT_EQ(lapses.events[0].entry().value(), "v");
  EXPECT_THAT(node.Get("k"), HasReason("KEY_NOT_FOUND"));
  grpc::ClientContext context;
  v1::ListResponse list;
  EXPECT_THAT(node.kv->List(&context, {}, &list), IsOk());
  EXPECT_EQ(list.entries_size(), 0);
  ASSERT_TRUE(all.Until([](auto& w) { return w.events.size() == 2; }));
  EXPECT_EQ(all.events[1].kind(), v1::Event::KIND_EXPIRED);
  request.set_if_absent(true);
  EXPECT_THAT(node.Set(request), IsOk());
  ASSERT_TRUE(all.Until([](auto& w) { return w.events.size() == 3; }));
  EXPECT_EQ(all.events[2].kind(), v1::Event::KIND_SET);
}

TEST(Watch, ACursorOfWritesThatDiedWithTheirNodeIsExpired) {
  std::string cursor;
  {
    OneNode gone("gone");
    ASSERT_THAT(gone.Set("k", "unshared"), IsOk());
    Watching watch(gone, Snapshot());
    ASSERT_TRUE(watch.Until([](auto& w) { return !w.cursor.empty(); }));
    cursor = watch.cursor;
  }
  OneNode node("other");
  v1::WatchRequest request;
  request.set_cursor(cursor);
  Watching watch(node, request);
  const auto status = watch.End();
  EXPECT_THAT(status, HasReason("CURSOR_EXPIRED"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
}

TEST(Watch, ADrainEndsItAfterACursor) {
  OneNode node;
  Watching watch(node, Snapshot());
  ASSERT_TRUE(watch.Until([](auto& w) { return w.snapshot; }));
  ASSERT_THAT(node.Set("k", "v"), IsOk());
  ASSERT_TRUE(watch.Until([](auto& w) { return w.events.size() == 1; }));
  std::thread drain([&] { node.server->Drain(); });
  const auto status = watch.End();
  drain.join();
  EXPECT_THAT(status, HasReason("DRAINING"));
  EXPECT_EQ(watch.at_cursor, 1u);
}

// A change while nobody watched once left the hub deaf until the next cursor was due, 15 s later.
TEST(Watch, AChangeWhileNobodyWatchesDoesNotDeafenTheNextWatch) {
  OneNode node;
  {
    Watching first(node, {});
    ASSERT_TRUE(first.Until([](auto& w) { return !w.cursor.empty(); }));
    first.context.TryCancel();
    first.End();
  }
  for (int i = 0; i < 200; ++i) node.Get("none");  // the cancelled stream is gone meanwhile
  ASSERT_THAT(node.Set("between", "v"), IsOk());
  Watching second(node, {});
  ASSERT_TRUE(second.Until([](auto& w) { return !w.cursor.empty(); }));
  const auto before = std::chrono::steady_clock::now();
  ASSERT_THAT(node.Set("after", "v"), IsOk());
  ASSERT_TRUE(second.Until([](auto& w) { return !w.events.empty(); }));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
}

TEST(Watch, KeysOnlyLeavesValuesOut) {
  OneNode node;
  ASSERT_THAT(node.Set("k", "v"), IsOk());
  auto request = Snapshot();
  request.set_keys_only(true);
  Watching watch(node, request);
  ASSERT_TRUE(watch.Until([](auto& w) { return w.snapshot; }));
  ASSERT_EQ(watch.events.size(), 1u);
  EXPECT_EQ(watch.events[0].entry().value_form_case(), v1::Entry::VALUE_FORM_NOT_SET);
}

// gRPC closes the connection for its age; the watch ends before that, and goes on elsewhere with nothing lost.
TEST(Watch, AnOldConnectionEndsItAfterACursor) {
  Limits limits;
  limits.connection_age = std::chrono::seconds(2);
  OneNode node("node-1", {}, true, limits);
  ASSERT_THAT(node.Set("k", "1"), IsOk());
  Watching watch(node, Snapshot());
  const auto status = watch.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status, HasReason("DRAINING"));
  EXPECT_EQ(watch.at_cursor, watch.events.size());
  ASSERT_EQ(watch.events.size(), 1u);
  ASSERT_THAT(node.Set("k", "2"), IsOk());
  v1::WatchRequest resume;
  resume.set_cursor(watch.cursor);
  Watching again(node, resume);
  ASSERT_TRUE(again.Until([](auto& w) { return !w.events.empty(); }));
  EXPECT_EQ(again.events[0].entry().value(), "2");
}

TEST(Subscribe, AnOldConnectionEndsIt) {
  Limits limits;
  limits.connection_age = std::chrono::seconds(2);
  OneNode node("node-1", {}, true, limits);
  grpc::ClientContext context;
  const auto stream = node.mesh->Subscribe(&context, {});
  stream->WaitForInitialMetadata();
  v1::SubscribeResponse heard;
  EXPECT_FALSE(stream->Read(&heard));
  EXPECT_THAT(stream->Finish(), HasReason("DRAINING"));
}

}  // namespace
}  // namespace leasemap::rpc

// KeyValue and Mesh as a client sees them: fields, limits and reasons.
#include "tests/matchers/status.h"
#include "tests/rpc/one_node.h"

namespace leasemap::rpc {
namespace {

using grpc::StatusCode;

#define EXPECT_REFUSED(status, expected_code, expected_reason)       \
  do {                                                               \
    const grpc::Status s_ = (status);                                \
    EXPECT_EQ(s_.error_code(), expected_code) << s_.error_message(); \
    EXPECT_EQ(ReasonOf(s_), expected_reason) << s_.error_message();  \
    EXPECT_GT(s_.error_message().size(), 10u);                       \
  } while (false)

TEST(Service, SetAnswersTheEntryWithoutItsValueAndGetWithIt) {
  OneNode node;
  v1::Entry set, got;
  ASSERT_THAT(node.Set("color", "blue", &set), IsOk());
  EXPECT_EQ(set.key(), "color");
  EXPECT_EQ(set.value_form_case(), v1::Entry::VALUE_FORM_NOT_SET);
  EXPECT_EQ(set.lease().holder(), "node-1");
  EXPECT_EQ(set.origin(), "node-1");
  EXPECT_EQ(set.lease().fencing_token().size(), 32u);
  ASSERT_THAT(node.Get("color", &got), IsOk());
  EXPECT_EQ(got.value(), "blue");
  EXPECT_EQ(got.version(), set.version());
  EXPECT_EQ(got.lease().expire_time().seconds() - got.update_time().seconds(), 3600);
}

TEST(Service, BadArgumentsNameTheirReasonAndChangeNothing) {
  OneNode node;
  v1::SetRequest good;
  good.set_key("k");
  good.set_value("v");
  const auto with = [&](auto change) {
    v1::SetRequest request = good;
    change(request);
    return node.Set(request);
  };
  using R = v1::SetRequest;
  const auto invalid = StatusCode::INVALID_ARGUMENT;
  EXPECT_REFUSED(with([](R& r) { r.clear_key(); }), invalid, "KEY_INVALID");
  EXPECT_REFUSED(with([](R& r) { r.set_key(std::string(4097, 'k')); }), invalid, "KEY_INVALID");
  EXPECT_REFUSED(with([](R& r) { r.clear_value(); }), invalid, "REQUEST_INVALID");
  EXPECT_REFUSED(with([](R& r) { r.set_value(std::string((1 << 20) + 1, 'v')); }), invalid, "VALUE_TOO_LARGE");
  EXPECT_REFUSED(with([](R& r) { r.mutable_lease_duration()->set_seconds(-1); }), invalid, "LEASE_INVALID");
  EXPECT_REFUSED(with([](R& r) { r.mutable_lease_duration()->set_seconds(1); }), invalid, "LEASE_INVALID");
  EXPECT_REFUSED(with([](R& r) { r.mutable_lease_duration()->set_nanos(1); }), invalid, "LEASE_INVALID");
  EXPECT_REFUSED(with([](R& r) { r.set_holder("a\nb"); }), invalid, "REQUEST_INVALID");
  EXPECT_REFUSED(with([](R& r) { r.set_holder(std::string(256, 'h')); }), invalid, "REQUEST_INVALID");
  EXPECT_REFUSED(with([](R& r) { r.set_if_absent(true), r.set_if_version("x"); }), invalid, "REQUEST_INVALID");
  EXPECT_REFUSED(with([](R& r) { r.set_on_lapse(v1::ON_LAPSE_DELETE), r.mutable_lease_duration(); }), invalid,
                 "REQUEST_INVALID");
  EXPECT_REFUSED(node.Get("k"), StatusCode::NOT_FOUND, "KEY_NOT_FOUND");
  EXPECT_THAT(with([](R&) {}), IsOk());
  EXPECT_THAT(with([](R& r) { r.set_ack(v1::ACK_LOCAL); }), IsOk());
}

TEST(Service, AnEphemeralKeyNeedsLeasing) {
  OneNode node("node-1", {}, false);
  v1::SetRequest request;
  request.set_key("k");
  request.set_value("v");
  request.set_on_lapse(v1::ON_LAPSE_DELETE);
  EXPECT_REFUSED(node.Set(request), StatusCode::UNIMPLEMENTED, "UNSUPPORTED");
  request.set_on_lapse(v1::ON_LAPSE_KEEP);
  EXPECT_THAT(node.Set(request), IsOk());
}

TEST(Service, AnotherHoldersLiveLeaseRefusesEveryChange) {
  OneNode node;
  v1::SetRequest request;
  request.set_key("k");
  request.set_value("v");
  request.set_holder("job-7");
  ASSERT_THAT(node.Set(request), IsOk());
  const auto held = node.Set("k", "mine");
  EXPECT_REFUSED(held, StatusCode::FAILED_PRECONDITION, "LEASE_HELD");
  EXPECT_NE(held.error_message().find("leased by job-7 for "), std::string::npos) << held.error_message();
  EXPECT_NE(held.error_message().find("name job-7 as the holder"), std::string::npos);
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(held.error_details()));
  google::rpc::RetryInfo retry;
  ASSERT_EQ(details.details_size(), 2);
  EXPECT_TRUE(details.details(1).UnpackTo(&retry));
  EXPECT_GT(retry.retry_delay().seconds(), 3500);
  EXPECT_REFUSED(node.Delete("k"), StatusCode::FAILED_PRECONDITION, "LEASE_HELD");
  EXPECT_THAT(node.Delete("k", false, "job-7"), IsOk());
  EXPECT_THAT(node.Set("k", "mine"), IsOk());
}

TEST(Service, RenewAndReleaseKeepTheValue) {
  OneNode node;
  v1::Entry set, got;
  ASSERT_THAT(node.Set("k", "v", &set), IsOk());
  grpc::ClientContext c1, c2, c3, c4;
  v1::RenewRequest renew;
  renew.set_key("k");
  renew.mutable_lease_duration()->set_seconds(7200);
  v1::RenewResponse renewed;
  ASSERT_THAT(node.kv->Renew(&c1, renew, &renewed), IsOk());
  EXPECT_NE(renewed.entry().version(), set.version());
  EXPECT_GT(renewed.entry().lease().expire_time().seconds(), set.lease().expire_time().seconds() + 3000);
  v1::ReleaseRequest release;
  release.set_key("k");
  v1::ReleaseResponse released, again;
  ASSERT_THAT(node.kv->Release(&c2, release, &released), IsOk());
  ASSERT_THAT(node.Get("k", &got), IsOk());
  EXPECT_EQ(got.value(), "v");
  ASSERT_THAT(node.kv->Release(&c3, release, &again), IsOk());
  EXPECT_EQ(again.entry().version(), released.entry().version());  // nothing to release: nothing changed
  release.set_key("none");
  EXPECT_REFUSED(node.kv->Release(&c4, release, &again), StatusCode::NOT_FOUND, "KEY_NOT_FOUND");
}

TEST(Service, WithLeasingOffAnyoneWritesAndLeaseCallsAreUnsupported) {
  OneNode node("node-1", {}, false);
  v1::SetRequest request;
  request.set_key("k");
  request.set_value("v");
  request.set_holder("one");
  ASSERT_THAT(node.Set(request), IsOk());
  request.set_holder("two");
  EXPECT_THAT(node.Set(request), IsOk());
  grpc::ClientContext context;
  v1::RenewRequest renew;
  renew.set_key("k");
  v1::RenewResponse renewed;
  EXPECT_REFUSED(node.kv->Renew(&context, renew, &renewed), StatusCode::UNIMPLEMENTED, "UNSUPPORTED");
}

TEST(Service, ConditionsComeAfterTheLease) {
  OneNode node;
  v1::Entry first;
  ASSERT_THAT(node.Set("k", "1", &first), IsOk());
  v1::SetRequest request;
  request.set_key("k");
  request.set_value("2");
  request.set_if_version("other");
  EXPECT_REFUSED(node.Set(request), StatusCode::ABORTED, "VERSION_MISMATCH");
  request.set_holder("stranger");
  EXPECT_REFUSED(node.Set(request), StatusCode::FAILED_PRECONDITION, "LEASE_HELD");
  request.clear_holder();
  request.set_if_version(first.version());
  EXPECT_THAT(node.Set(request), IsOk());
  request.set_key("absent");
  EXPECT_REFUSED(node.Set(request), StatusCode::ABORTED, "VERSION_MISMATCH");
  EXPECT_REFUSED(node.Delete("absent"), StatusCode::NOT_FOUND, "KEY_NOT_FOUND");
  EXPECT_THAT(node.Delete("absent", true), IsOk());
}

TEST(Service, ListPagesInKeyOrderAndRefusesForeignTokens) {
  OneNode node;
  for (int i = 0; i < 25; ++i) ASSERT_THAT(node.Set(absl::StrCat("p/", 10 + i), "v"), IsOk());
  ASSERT_THAT(node.Set("q", "other"), IsOk());
  ASSERT_THAT(node.Delete("p/11"), IsOk());
  v1::ListRequest request;
  request.set_prefix("p/");
  request.set_page_size(10);
  std::vector<std::string> keys;
  int pages = 0;
  do {
    grpc::ClientContext context;
    v1::ListResponse response;
    ASSERT_THAT(node.kv->List(&context, request, &response), IsOk());
    for (const auto& entry : response.entries()) keys.push_back(entry.key());
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(keys.size(), 24u);
  EXPECT_EQ(pages, 3);
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));

  const auto list = [&](auto change) {
    v1::ListRequest bad;
    change(bad);
    grpc::ClientContext context;
    v1::ListResponse response;
    auto status = node.kv->List(&context, bad, &response);
    request.set_page_token(response.next_page_token());
    return status;
  };
  EXPECT_THAT(list([](v1::ListRequest& r) { r.set_page_size(1); }), IsOk());
  const std::string token = request.page_token();
  ASSERT_FALSE(token.empty());
  const auto invalid = StatusCode::INVALID_ARGUMENT;
  EXPECT_REFUSED(list([&](auto& r) { r.set_prefix("p"), r.set_page_token(token); }), invalid, "REQUEST_INVALID");
  EXPECT_REFUSED(list([&](auto& r) { r.set_page_token(token + "A"); }), invalid, "REQUEST_INVALID");
  EXPECT_REFUSED(list([](auto& r) { r.set_page_token("junk"); }), invalid, "REQUEST_INVALID");
  EXPECT_REFUSED(list([](auto& r) { r.set_page_size(-1); }), invalid, "REQUEST_INVALID");
  EXPECT_REFUSED(list([](auto& r) { r.set_prefix("a"), r.set_start_key("b"); }), invalid, "REQUEST_INVALID");
}

TEST(Service, BatchesAnswerEachItemInOrder) {
  OneNode node;
  v1::BatchSetRequest sets;
  for (const char* key : {"a", "", "b"}) {
    auto* one = sets.add_requests();
    one->set_key(key);
    one->set_value("v");
  }
  grpc::ClientContext c1, c2, c3;
  v1::BatchSetResponse set;
  ASSERT_THAT(node.kv->BatchSet(&c1, sets, &set), IsOk());
  ASSERT_EQ(set.results_size(), 3);
  EXPECT_EQ(set.results(0).status().code(), 0);
  EXPECT_EQ(set.results(1).status().code(), 3);
  EXPECT_EQ(set.results(1).status().reason(), "KEY_INVALID");
  EXPECT_FALSE(set.results(1).has_entry());
  EXPECT_EQ(set.results(2).entry().key(), "b");
  v1::BatchGetRequest gets;
  gets.add_requests()->set_key("none");
  gets.add_requests()->set_key("b");
  v1::BatchGetResponse got;
  ASSERT_THAT(node.kv->BatchGet(&c2, gets, &got), IsOk());
  EXPECT_EQ(got.results(0).status().reason(), "KEY_NOT_FOUND");
  EXPECT_EQ(got.results(1).entry().value(), "v");
  for (int i = 0; i < 1001; ++i) gets.add_requests()->set_key("b");
  EXPECT_REFUSED(node.kv->BatchGet(&c3, gets, &got), StatusCode::INVALID_ARGUMENT, "REQUEST_INVALID");
}

TEST(Service, BatchesThatRenewAndDelete) {
  OneNode node;
  v1::Entry set;
  ASSERT_THAT(node.Set("a", "v", &set), IsOk());
  ASSERT_THAT(node.Set("b", "v"), IsOk());
  grpc::ClientContext c1, c2;
  v1::BatchRenewRequest renews;
  renews.add_requests()->set_key("a");
  renews.add_requests()->set_key("none");
  auto* mine = renews.add_requests();
  mine->set_key("b");
  mine->set_holder("other");
  auto* here = renews.add_requests();
  here->set_key("a");
  here->set_min_version(set.version());
  v1::BatchRenewResponse renewed;
  ASSERT_THAT(node.kv->BatchRenew(&c1, renews, &renewed), IsOk());
  ASSERT_EQ(renewed.results_size(), 4);
  EXPECT_EQ(renewed.results(0).status().code(), 0);
  EXPECT_NE(renewed.results(0).entry().version(), set.version());
  EXPECT_EQ(renewed.results(1).status().reason(), "KEY_NOT_FOUND");
  EXPECT_EQ(renewed.results(2).status().reason(), "LEASE_HELD");
  EXPECT_FALSE(renewed.results(2).has_entry());
  EXPECT_EQ(renewed.results(3).status().code(), 0);

  v1::BatchDeleteRequest deletes;
  deletes.add_requests()->set_key("a");
  auto* missing = deletes.add_requests();
  missing->set_key("none");
  missing->set_allow_missing(true);
  deletes.add_requests()->set_key("a");
  v1::BatchDeleteResponse deleted;
  ASSERT_THAT(node.kv->BatchDelete(&c2, deletes, &deleted), IsOk());
  ASSERT_EQ(deleted.results_size(), 3);
  EXPECT_TRUE(deleted.results(0).entry().deleted());
  EXPECT_EQ(deleted.results(1).status().code(), 0);
  EXPECT_FALSE(deleted.results(1).has_entry());
  EXPECT_EQ(deleted.results(2).status().reason(), "KEY_NOT_FOUND");
  EXPECT_THAT(node.Get("a"), HasReason("KEY_NOT_FOUND"));
}

TEST(Service, ARetryHearsThatItsLeaseHasEnded) {
  OneNode node;
  v1::SetRequest set;
  set.set_key("k");
  set.set_value("v");
  set.set_holder("first");
  set.set_request_id("r1");
  const auto ended = [&] {
    grpc::ClientContext context;
    v1::SetResponse response;
    EXPECT_THAT(node.kv->Set(&context, set, &response), IsOk());
    return response.lease_ended();
  };
  EXPECT_FALSE(ended());
  EXPECT_FALSE(ended());
  grpc::ClientContext c1;
  v1::ReleaseRequest release;
  release.set_key("k");
  release.set_holder("first");
  v1::ReleaseResponse released;
  ASSERT_THAT(node.kv->Release(&c1, release, &released), IsOk());
  EXPECT_TRUE(ended());
  v1::SetRequest other = set;
  other.set_holder("second");
  other.set_request_id("");
  ASSERT_THAT(node.Set(other), IsOk());
  EXPECT_TRUE(ended());
}

TEST(Service, AnEntrySaysWhetherItIsEphemeral) {
  OneNode node;
  v1::SetRequest set;
  set.set_key("k");
  set.set_value("v");
  v1::Entry got;
  ASSERT_THAT(node.Set(set), IsOk());
  ASSERT_THAT(node.Get("k", &got), IsOk());
  EXPECT_FALSE(got.ephemeral());
  set.set_on_lapse(v1::ON_LAPSE_DELETE);
  ASSERT_THAT(node.Set(set), IsOk());
  ASSERT_THAT(node.Get("k", &got), IsOk());
  EXPECT_TRUE(got.ephemeral());
}

TEST(Service, EachAnswerNamesItsNode) {
  OneNode node("nöde-1");
  grpc::ClientContext context;
  v1::GetRequest request;
  request.set_key("none");
  v1::GetResponse response;
  EXPECT_THAT(node.kv->Get(&context, request, &response), HasReason("KEY_NOT_FOUND"));
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto named = trailers.find("leasemap-node");
  ASSERT_NE(named, trailers.end());
  EXPECT_EQ(std::string(named->second.data(), named->second.size()), "n\\303\\266de-1");
}

TEST(Service, ConflictsComeInPages) {
  OneNode a("a"), b("b");
  for (const char* key : {"k1", "k2", "k3"}) {
    ASSERT_THAT(a.Set(key, "of a"), IsOk());
    ASSERT_THAT(b.Set(key, "of b"), IsOk());
  }
  b.server->host().SetSeeds({a.mesh_address()});
  const auto list = [](OneNode& node, const std::string& token, bool keys_only = false) {
    grpc::ClientContext context;
    v1::ListConflictsRequest request;
    request.set_page_size(2);
    request.set_page_token(token);
    request.set_keys_only(keys_only);
    v1::ListConflictsResponse response;
    EXPECT_THAT(node.mesh->ListConflicts(&context, request, &response), IsOk());
    return response;
  };
  // Which node's writes lost is settled by the seconds in which they were made.
  ASSERT_TRUE(testing::Eventually([&] { return list(a, "").total() + list(b, "").total() == 3; }));
  std::vector<std::string> keys;
  for (OneNode* node : {&a, &b}) {
    std::string token;
    do {
      const auto page = list(*node, token);
      EXPECT_LE(page.conflicts_size(), 2);
      for (const auto& one : page.conflicts()) {
        EXPECT_NE(one.loser().value(), "");
        keys.push_back(one.loser().key());
      }
      token = page.next_page_token();
    } while (!token.empty());
    const auto keys_only = list(*node, "", true);
    for (const auto& one : keys_only.conflicts()) {
      EXPECT_FALSE(one.loser().has_value());
      EXPECT_FALSE(one.winner().has_value());
    }
  }
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(keys, (std::vector<std::string>{"k1", "k2", "k3"}));
  grpc::ClientContext context;
  v1::ListConflictsRequest bad;
  bad.set_page_token("x");
  v1::ListConflictsResponse response;
  EXPECT_REFUSED(a.mesh->ListConflicts(&context, bad, &response), StatusCode::INVALID_ARGUMENT, "REQUEST_INVALID");
}

TEST(Service, BytesAndTextAreTheSameKey) {
  OneNode node;
  v1::SetRequest request;
  request.set_key_bytes("color");
  request.set_value_bytes("\xff");
  ASSERT_THAT(node.Set(request), IsOk());
  v1::Entry got;
  ASSERT_THAT(node.Get("color", &got), IsOk());
  EXPECT_EQ(got.key(), "color");
  EXPECT_EQ(got.value_bytes(), "\xff");
  EXPECT_EQ(got.value_form_case(), v1::Entry::kValueBytes);
}

TEST(Service, MeshTellsStatusAndMembersAndWhatItCannotDo) {
  OneNode node;
  ASSERT_THAT(node.Set("k", "v"), IsOk());
  grpc::ClientContext c1, c2, c5, c6;
  v1::GetStatusResponse status;
  ASSERT_THAT(node.mesh->GetStatus(&c1, {}, &status), IsOk());
  EXPECT_EQ(status.node_id(), "node-1");
  EXPECT_EQ(status.cluster(), "leasemap");
  EXPECT_TRUE(status.ready());
  EXPECT_TRUE(status.converged());
  EXPECT_EQ(status.keys(), 1u);
  EXPECT_EQ(status.members(), 1u);
  ASSERT_EQ(status.vector_size(), 1);
  EXPECT_EQ(status.vector(0).prefix(), 1u);
  EXPECT_FALSE(status.server_version().empty());
  v1::ListMembersResponse members;
  ASSERT_THAT(node.mesh->ListMembers(&c2, {}, &members), IsOk());
  ASSERT_EQ(members.members_size(), 1);
  EXPECT_EQ(members.members(0).state(), v1::Member::STATE_ALIVE);
  EXPECT_TRUE(members.members(0).self());
  v1::ForgetResponse forgotten;
  EXPECT_REFUSED(node.mesh->Forget(&c5, {}, &forgotten), StatusCode::INVALID_ARGUMENT, "REQUEST_INVALID");
  const auto stream = node.kv->Write(&c6);
  EXPECT_REFUSED(stream->Finish(), StatusCode::UNIMPLEMENTED, "UNSUPPORTED");
}

TEST(Service, ABroadcastIsHeardOnAnotherNodeAndNotOnItsOwn) {
  OneNode a("a");
  OneNode b("b", {a.mesh_address()});
  grpc::ClientContext subscribed, c2;
  const auto stream = b.mesh->Subscribe(&subscribed, {});
  stream->WaitForInitialMetadata();
  ASSERT_TRUE(testing::Eventually([&] { return a.server->host().GetStatus().members.size() == 1; }));
  v1::BroadcastRequest request;
  request.set_payload("hello");
  v1::BroadcastResponse sent;
  ASSERT_THAT(a.mesh->Broadcast(&c2, request, &sent), IsOk());
  EXPECT_EQ(sent.sent(), 1u);
  v1::SubscribeResponse heard;
  ASSERT_TRUE(stream->Read(&heard));
  EXPECT_EQ(heard.from_node(), "a");
  EXPECT_EQ(heard.payload(), "hello");
  subscribed.TryCancel();
}

TEST(Service, ANodeThatCatchesUpOrDrainsSaysSo) {
  // A seed that accepts and never answers keeps the node waiting for its first three seconds.
  core::NodeOptions options;
  options.node_id = "waits";
  asio::io_context io;
  asio::ip::tcp::acceptor silent(io, {asio::ip::address_v4::loopback(), 0});
  options.seeds = {absl::StrCat("127.0.0.1:", silent.local_endpoint().port())};
  Server server(options, "127.0.0.1:0", "127.0.0.1:0");
  ASSERT_THAT(server.Start(), IsOk());
  const auto channel =
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.port()), grpc::InsecureChannelCredentials());
  const auto kv = v1::KeyValue::NewStub(channel);
  const auto health = grpc::health::v1::Health::NewStub(channel);
  grpc::ClientContext c1, c2, c3;
  v1::GetRequest request;
  request.set_key("k");
  v1::GetResponse response;
  EXPECT_REFUSED(kv->Get(&c1, request, &response), StatusCode::UNAVAILABLE, "SYNCING");
  grpc::health::v1::HealthCheckResponse state;
  ASSERT_THAT(health->Check(&c2, {}, &state), IsOk());
  EXPECT_EQ(state.status(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  grpc::health::v1::HealthCheckRequest live;
  live.set_service("liveness");
  ASSERT_THAT(health->Check(&c3, live, &state), IsOk());
  EXPECT_EQ(state.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  EXPECT_TRUE(testing::Eventually([&] { return server.host().ready(); }));
}

}  // namespace
}  // namespace leasemap::rpc

// What waits for other nodes, as a client sees it: acks, min_version, Explain; and request_id, validate_only.
#include <chrono>
#include <thread>

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
  } while (false)

v1::SetRequest Request(const std::string& key, const std::string& value, v1::Ack ack = v1::ACK_UNSPECIFIED) {
  v1::SetRequest request;
  request.set_key(key);
  request.set_value(value);
  request.set_ack(ack);
  return request;
}

grpc::Status SetWithin(OneNode& node, const v1::SetRequest& request, int64_t ms, v1::Entry* entry = nullptr) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(ms));
  v1::SetResponse response;
  const auto status = node.kv->Set(&context, request, &response);
  if (entry) *entry = response.entry();
  return status;
}

void Linked(OneNode& a, OneNode& b) {
  EXPECT_TRUE(testing::Eventually([&] {
    return a.server->host().GetStatus().members.size() == 1 && b.server->host().GetStatus().members.size() == 1;
  }));
}

TEST(Ack, IsAnsweredWhenTheOthersHaveIt) {
  OneNode a("a"), b("b", {a.mesh_address()});
  Linked(a, b);
  v1::Entry entry, got;
  for (const auto ack : {v1::ACK_MAJORITY, v1::ACK_ALL}) {
    ASSERT_THAT(SetWithin(a, Request("k", "v", ack), 20'000, &entry), IsOk());
    EXPECT_FALSE(entry.version().empty());
    EXPECT_EQ(entry.value_form_case(), v1::Entry::VALUE_FORM_NOT_SET);
    ASSERT_THAT(b.Get("k", &got), IsOk());  // it is there by now
    EXPECT_EQ(got.version(), entry.version());
  }
  auto request = Request("k", "v");
  request.set_ack_nodes(2);
  EXPECT_THAT(a.Set(request, &entry), IsOk());  // without a deadline
  EXPECT_FALSE(entry.version().empty());
  grpc::ClientContext context;
  v1::DeleteRequest erase;
  erase.set_key("k");
  erase.set_ack(v1::ACK_ALL);
  v1::DeleteResponse erased;
  ASSERT_THAT(a.kv->Delete(&context, erase, &erased), IsOk());
  EXPECT_TRUE(erased.entry().deleted());
  EXPECT_REFUSED(b.Get("k"), StatusCode::NOT_FOUND, "KEY_NOT_FOUND");
}

TEST(Ack, WhatIsMissingIsToldBeforeTheDeadline) {
  OneNode a("a");
  {
    OneNode b("b", {a.mesh_address()});
    Linked(a, b);
  }
  const auto status = SetWithin(a, Request("k", "v", v1::ACK_ALL), 1000);
  EXPECT_REFUSED(status, StatusCode::DEADLINE_EXCEEDED, "ACK_INCOMPLETE");
  EXPECT_NE(status.error_message().find("acked by a; not by b"), std::string::npos) << status.error_message();
  EXPECT_THAT(a.Get("k"), IsOk());  // the write stands
  // Of two remembered members a majority is both.
  EXPECT_REFUSED(SetWithin(a, Request("k", "v", v1::ACK_MAJORITY), 500), StatusCode::DEADLINE_EXCEEDED,
                 "ACK_INCOMPLETE");
}

TEST(Ack, AReplacedWriteIsToldByWhom) {
  OneNode a("a");
  {
    OneNode b("b", {a.mesh_address()});
    Linked(a, b);
  }
  grpc::Status first;
  std::thread waiting([&] { first = SetWithin(a, Request("k", "1", v1::ACK_ALL), 20'000); });
  EXPECT_TRUE(testing::Eventually([&] { return a.Get("k").ok(); }));
  v1::Entry second;
  EXPECT_THAT(a.Set("k", "2", &second), IsOk());
  waiting.join();
  EXPECT_REFUSED(first, StatusCode::ABORTED, "SUPERSEDED");
  EXPECT_NE(first.error_message().find(second.version()), std::string::npos) << first.error_message();
  EXPECT_NE(first.error_message().find("holder a"), std::string::npos) << first.error_message();
}

TEST(Ack, ACallThatIsCancelledOrDrainedEnds) {
  auto a = std::make_unique<OneNode>("a");
  {
    OneNode b("b", {a->mesh_address()});
    Linked(*a, b);
  }
  grpc::ClientContext cancelled;
  v1::SetResponse response;
  grpc::Status status, drained;
  std::thread waiting([&] { status = a->kv->Set(&cancelled, Request("k", "1", v1::ACK_ALL), &response); });
  EXPECT_TRUE(testing::Eventually([&] { return a->Get("k").ok(); }));
  cancelled.TryCancel();
  waiting.join();
  EXPECT_EQ(status.error_code(), StatusCode::CANCELLED);
  std::thread last([&] { drained = SetWithin(*a, Request("k2", "1", v1::ACK_ALL), 20'000); });
  EXPECT_TRUE(testing::Eventually([&] { return a->Get("k2").ok(); }));
  a->server->Drain();
  last.join();
  EXPECT_REFUSED(drained, StatusCode::DEADLINE_EXCEEDED, "ACK_INCOMPLETE");
}

TEST(Ack, BadWishesAreInvalid) {
  OneNode node;
  auto both = Request("k", "v", v1::ACK_LOCAL), many = Request("k", "v"), unknown = Request("k", "v");
  both.set_ack_nodes(1);
  many.set_ack_nodes(200);
  unknown.set_ack(static_cast<v1::Ack>(9));
  EXPECT_REFUSED(node.Set(both), StatusCode::INVALID_ARGUMENT, "REQUEST_INVALID");
  EXPECT_REFUSED(node.Set(many), StatusCode::INVALID_ARGUMENT, "REQUEST_INVALID");
  EXPECT_REFUSED(node.Set(unknown), StatusCode::INVALID_ARGUMENT, "REQUEST_INVALID");
  EXPECT_REFUSED(node.Get("k"), StatusCode::NOT_FOUND, "KEY_NOT_FOUND");
}

TEST(Ack, ABatchWaitsForAllItsItemsTogether) {
  OneNode a("a");
  {
    OneNode b("b", {a.mesh_address()});
    Linked(a, b);
  }
  v1::BatchSetRequest request;
  *request.add_requests() = Request("k1", "v", v1::ACK_ALL);
  *request.add_requests() = Request("k2", "v");
  *request.add_requests() = Request("", "v", v1::ACK_ALL);
  *request.add_requests() = Request("k1", "w", v1::ACK_MAJORITY);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(1));
  v1::BatchSetResponse response;
  ASSERT_THAT(a.kv->BatchSet(&context, request, &response), IsOk());
  ASSERT_EQ(response.results_size(), 4);
  EXPECT_EQ(response.results(0).status().reason(), "SUPERSEDED");  // by the last
  EXPECT_EQ(response.results(1).status().code(), 0);
  EXPECT_FALSE(response.results(1).entry().version().empty());
  EXPECT_EQ(response.results(2).status().reason(), "KEY_INVALID");
  EXPECT_EQ(response.results(3).status().reason(), "ACK_INCOMPLETE");
  EXPECT_FALSE(response.results(3).has_entry());
}

TEST(Requests, ARetryAnswersTheSameVersionAndValidateOnlyNone) {
  OneNode node;
  auto request = Request("k", "v");
  request.set_request_id("r-1");
  v1::Entry first, again, checked;
  auto only = request;
  only.set_validate_only(true);
  ASSERT_THAT(node.Set(only, &checked), IsOk());
  EXPECT_EQ(checked.version(), "");
  EXPECT_EQ(checked.lease().holder(), "node-1");
  EXPECT_REFUSED(node.Get("k"), StatusCode::NOT_FOUND, "KEY_NOT_FOUND");
  ASSERT_THAT(node.Set(request, &first), IsOk());
  ASSERT_THAT(node.Set("k", "w"), IsOk());
  ASSERT_THAT(node.Set(request, &again), IsOk());
  EXPECT_EQ(again.version(), first.version());
  request.set_value("other");
  EXPECT_REFUSED(node.Set(request), StatusCode::INVALID_ARGUMENT, "REQUEST_INVALID");
  request.set_request_id(std::string(65, 'x'));
  EXPECT_REFUSED(node.Set(request), StatusCode::INVALID_ARGUMENT, "REQUEST_INVALID");
}

TEST(MinVersion, WaitsUntilTheWriteIsHere) {
  OneNode a("a"), b("b", {a.mesh_address()});
  Linked(a, b);
  const auto get = [](OneNode& node, const std::string& version, int64_t ms, v1::Entry* entry) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(ms));
    v1::GetRequest request;
    request.set_key("k");
    request.set_min_version(version);
    v1::GetResponse response;
    const auto status = node.kv->Get(&context, request, &response);
    *entry = response.entry();
    return status;
  };
  v1::Entry got;
  std::string version;
  for (int i = 0; i < 50; ++i) {
    v1::Entry set;
    ASSERT_THAT(a.Set("k", std::to_string(i), &set), IsOk());
    ASSERT_THAT(get(b, set.version(), 20'000, &got), IsOk());
    EXPECT_EQ(got.value(), std::to_string(i));
    version = set.version();
  }
  EXPECT_REFUSED(get(a, "no version", 1000, &got), StatusCode::INVALID_ARGUMENT, "REQUEST_INVALID");
  OneNode stranger("stranger");
  EXPECT_REFUSED(get(stranger, version, 500, &got), StatusCode::UNAVAILABLE, "NOT_CAUGHT_UP");
  v1::BatchGetRequest request;
  request.add_requests()->set_key("k");
  request.add_requests()->set_key("k");
  request.mutable_requests(1)->set_min_version(version);
  v1::BatchGetResponse response;
  grpc::ClientContext c1, c2;
  c1.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(500));
  ASSERT_THAT(stranger.kv->BatchGet(&c1, request, &response), IsOk());
  EXPECT_EQ(response.results(0).status().reason(), "KEY_NOT_FOUND");
  EXPECT_EQ(response.results(1).status().reason(), "NOT_CAUGHT_UP");
  ASSERT_THAT(b.kv->BatchGet(&c2, request, &response), IsOk());
  EXPECT_EQ(response.results(1).entry().version(), version);
}

TEST(Explain, ShowsTheKeyOnEveryMember) {
  OneNode a("a"), b("b", {a.mesh_address()});
  Linked(a, b);
  ASSERT_THAT(SetWithin(a, Request("k", "v", v1::ACK_ALL), 20'000), IsOk());
  grpc::ClientContext c1, c2, c3;
  v1::ExplainRequest request;
  request.set_key("k");
  v1::ExplainResponse response;
  ASSERT_THAT(b.mesh->Explain(&c1, request, &response), IsOk());
  ASSERT_EQ(response.views_size(), 2);
  EXPECT_EQ(response.views(0).node_id(), "b");
  EXPECT_EQ(response.views(1).node_id(), "a");
  EXPECT_EQ(response.views(0).entry().value(), "v");
  EXPECT_EQ(response.views(1).entry().value_form_case(), v1::Entry::VALUE_FORM_NOT_SET);
  for (const auto& view : response.views()) {
    EXPECT_TRUE(view.answered());
    EXPECT_EQ(view.rank(), response.views(0).rank());
    EXPECT_EQ(view.entry().version(), response.views(0).entry().version());
    EXPECT_TRUE(view.has_lag());
    EXPECT_EQ(view.lag(), 0u);
  }
  request.clear_key();
  EXPECT_REFUSED(a.mesh->Explain(&c2, request, &response), StatusCode::INVALID_ARGUMENT, "KEY_INVALID");
  v1::ListConflictsResponse conflicts;
  ASSERT_THAT(a.mesh->ListConflicts(&c3, {}, &conflicts), IsOk());
  EXPECT_EQ(conflicts.total(), 0u);
}

}  // namespace
}  // namespace leasemap::rpc

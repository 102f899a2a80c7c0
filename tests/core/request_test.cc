// Request IDs: a retry is answered and not done again, here and on other nodes. And validate_only.
#include <gtest/gtest.h>

#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/requests.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

class RequestIds : public ::testing::Test {
 protected:
  RequestIds() {
    mesh_.Add("a");
    mesh_.Add("b");
    mesh_.Connect(0, 1);
    mesh_.Advance(200);
  }
  WriteCommand Set(const std::string& key, const std::string& value, const std::string& id) {
    WriteCommand command = mesh_.Command(0, key, value);
    command.holder = "job";
    command.request_id = id;
    return command;
  }
  Dot DotOf(int i, const WriteCommand& command) {
    const auto entry = mesh_.Write(i, command);
    EXPECT_THAT(entry, IsOk());
    return entry.ok() && *entry ? (*entry)->dot : Dot{};
  }
  std::string Field(int i, const WriteCommand& command) {
    const auto status = mesh_.Write(i, command).status();
    return status.ok() ? "" : MetadataOf(status)["field"];
  }
  Mesh mesh_;
};

TEST_F(RequestIds, ARetryAnswersTheSameVersion) {
  const WriteCommand first = Set("k", "1", "r1"), second = Set("k", "2", "r2");
  const Dot dot = DotOf(0, first);
  EXPECT_EQ(DotOf(0, first), dot);
  const Dot next = DotOf(0, second);
  EXPECT_EQ(DotOf(0, first), dot);  // and does not bring the old value back
  EXPECT_EQ(mesh_.Value(0, "k"), "2");
  EXPECT_NE(next, dot);
  mesh_.Advance(kRequestMs);
  EXPECT_NE(DotOf(0, first), dot);  // forgotten: a new request
}

TEST_F(RequestIds, AnotherRequestUnderTheSameIdIsInvalid) {
  const WriteCommand first = Set("k", "1", "r1");
  const Dot dot = DotOf(0, first);
  for (auto change : std::vector<std::function<void(WriteCommand&)>>{
           [](WriteCommand& c) { c.key = "k2"; }, [](WriteCommand& c) { c.value = "2"; },
           [](WriteCommand& c) { c.duration_ms = 60'000; }, [](WriteCommand& c) { c.change = Change::kDelete; },
           [](WriteCommand& c) { c.if_version = "v"; }}) {
    WriteCommand other = first;
    change(other);
    EXPECT_EQ(Field(0, other), "request_id");
  }
  WriteCommand patient = first, of_other = first;
  patient.ack.level = Ack::Level::kAll;
  EXPECT_EQ(DotOf(0, patient), dot);
  of_other.holder = "job-2";  // an ID of another holder: another request, and here the lease is held
  EXPECT_THAT(mesh_.Write(0, of_other), HasReason("LEASE_HELD"));
}

TEST_F(RequestIds, ARefusedRequestIsNotRemembered) {
  WriteCommand absent = Set("k", "1", "r1");
  absent.if_version = "none";
  EXPECT_THAT(mesh_.Write(0, absent), HasReason("VERSION_MISMATCH"));
  EXPECT_EQ(Field(0, Set("k", "1", "r1")), "");
}

TEST_F(RequestIds, ADeleteOfNothingStaysOne) {
  WriteCommand erase = Set("k", "", "d1");
  erase.change = Change::kDelete;
  erase.allow_missing = true;
  EXPECT_EQ(*mesh_.Write(0, erase), nullptr);
  DotOf(0, Set("k", "1", "r1"));
  EXPECT_EQ(*mesh_.Write(0, erase), nullptr);
  EXPECT_EQ(mesh_.Value(0, "k"), "1");
}

TEST_F(RequestIds, ARetryAtAnotherNodeFindsTheWrite) {
  const WriteCommand set = Set("k", "1", "r1");
  const Dot dot = DotOf(0, set);
  mesh_.Settle();
  EXPECT_EQ(DotOf(1, set), dot);
  WriteCommand other = set;
  other.value = "2";
  EXPECT_EQ(Field(1, other), "request_id");
  WriteCommand erase = Set("k", "", "d1");
  erase.change = Change::kDelete;
  const Dot erased = DotOf(1, erase);
  mesh_.Settle();
  EXPECT_EQ(DotOf(0, erase), erased);
  EXPECT_EQ(DotOf(1, set), dot);  // remembered here since its retry
}

TEST_F(RequestIds, AreCheckedAndBounded) {
  EXPECT_EQ(Field(0, Set("k", "1", std::string(65, 'x'))), "request_id");
  EXPECT_EQ(Field(0, Set("k", "1", "a\nb")), "request_id");
  EXPECT_EQ(Field(0, Set("k", "1", std::string(64, 'x'))), "");
  Requests requests;
  const Store store;
  const auto done = [&](MonoTime mono, const std::string& id) {
    return (*requests.FindDone(mono, Set("k", "1", id), store)).has_value();
  };
  for (size_t i = 0; i < kMaxRequests + 10; ++i)
    requests.Remember(MonoTime(0), Set("k", "1", std::to_string(i)), nullptr);
  EXPECT_EQ(requests.size(), kMaxRequests);
  EXPECT_FALSE(done(MonoTime(0), "9"));
  EXPECT_TRUE(done(MonoTime(kRequestMs - 1), "10"));
  EXPECT_FALSE(done(MonoTime(kRequestMs), "10"));
  requests.Remember(MonoTime(kRequestMs), Set("k", "1", "new"), nullptr);
  EXPECT_EQ(requests.size(), 1u);
}

TEST_F(RequestIds, ValidateOnlyChecksAllAndWritesNothing) {
  WriteCommand command = Set("k", "1", "r1");
  command.validate_only = true;
  const auto hash = mesh_[0].store().hash();
  const auto entry = mesh_.Write(0, command);
  ASSERT_THAT(entry, IsOk());
  EXPECT_EQ((*entry)->lease.holder, "job");
  EXPECT_EQ((*entry)->dot.seq, 0u);
  EXPECT_EQ(mesh_[0].store().hash(), hash);
  EXPECT_TRUE(mesh_[0].vector().empty());
  command.ack.level = Ack::Level::kAll;
  EXPECT_EQ(mesh_.Submit(0, command)->wait, 0u);
  command.validate_only = false;
  EXPECT_EQ(DotOf(0, command).seq, 1u);  // it was not taken for done
  WriteCommand held = mesh_.Command(0, "k");
  held.validate_only = true;
  EXPECT_THAT(mesh_.Write(0, held), HasReason("LEASE_HELD"));
}

}  // namespace
}  // namespace leasemap::core

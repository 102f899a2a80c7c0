// A live write that keeps the value of an earlier one comes without it: the receiver shares what it has, or fetches the
// entry whole.
#include <gtest/gtest.h>

#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

class LeftOut : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* id : {"a", "b", "c"}) mesh_.Add(id);
    ab_ = mesh_.Connect(0, 1);
    ac_ = mesh_.Connect(0, 2);
    bc_ = mesh_.Connect(1, 2);
    mesh_.Advance(4000);
    ASSERT_THAT(mesh_.Set(0, "k", value_, "job"), IsOk());
    mesh_.Settle();
  }
  EntryPtr Renew(int i, Change change = Change::kRenew) {
    WriteCommand command = mesh_.Command(i, "k", "");
    command.change = change;
    command.holder = "job";
    const auto written = mesh_.Write(i, command);
    EXPECT_THAT(written, IsOk());
    return written.ok() ? *written : nullptr;
  }
  EntryPtr Held(int i) { return *mesh_[i].store().Find("k"); }

  const std::string value_ = std::string(100'000, 'v');
  Mesh mesh_;
  LinkId ab_, ac_, bc_;
};

TEST_F(LeftOut, OnALiveLinkOfThisVersion) {
  Renew(0);
  const auto message = mesh_[0].Pull(mesh_.now(0), ab_);
  ASSERT_TRUE(message && std::holds_alternative<Live>(*message));
  const EntryPtr sent = std::get<Live>(*message).entries.at(0);
  EXPECT_TRUE(sent->value_left_out);
  EXPECT_TRUE(sent->value.empty());
}

TEST_F(LeftOut, TheReceiverSharesTheValueThatItHas) {
  const EntryPtr before = Held(1);
  const EntryPtr renewed = Renew(0);
  mesh_.Settle();
  EXPECT_EQ(*Held(1), *renewed);
  EXPECT_EQ(&Held(1)->value.str(), &before->value.str());
  EXPECT_EQ(&Renew(1)->value.str(), &before->value.str());  // and so does a renewal here
  Renew(0, Change::kRelease);
  mesh_.Settle();
  EXPECT_TRUE(Held(2)->lease.released);
  EXPECT_EQ(Held(2)->value, value_);
}

TEST_F(LeftOut, WhoLacksTheValueFetchesTheEntryAtOnce) {
  mesh_.Freeze(ac_);
  ASSERT_THAT(mesh_.Set(0, "k", std::string(1000, 'n'), "job"), IsOk());
  mesh_.Settle();
  const EntryPtr renewed = Renew(1);
  mesh_.Settle();
  mesh_.Advance(10);
  EXPECT_EQ(*Held(2), *renewed);  // c heard of the renewal alone, and has the new value with it
  EXPECT_TRUE(mesh_[2].vector().Covers(renewed->dot));
}

TEST_F(LeftOut, WhereItLosesNoValueIsNeeded) {
  mesh_.Freeze(bc_);
  Renew(1);
  mesh_.Settle();
  mesh_.Freeze(ac_);
  ASSERT_THAT(mesh_.Set(2, "k", "newer", "job"), IsOk());
  const EntryPtr newer = Held(2);
  mesh_.Thaw(bc_);
  EXPECT_EQ(Held(2)->value, "newer");
  EXPECT_EQ(ValueDot(*Held(2)), newer->dot);
}

TEST_F(LeftOut, NotOfAFewBytes) {
  ASSERT_THAT(mesh_.Set(0, "k", "few", "job"), IsOk());
  mesh_.Settle();
  Renew(0);
  const auto message = mesh_[0].Pull(mesh_.now(0), ab_);
  ASSERT_TRUE(message && std::holds_alternative<Live>(*message));
  EXPECT_EQ(std::get<Live>(*message).entries.at(0)->value, "few");
}

// A lock that is set through one node and released through another: who hears of each release first asks for the values
// once a second, not for each.
TEST_F(LeftOut, WhoLacksMoreAndMoreValuesAsksOnceASecond) {
  mesh_.Freeze(ac_);
  int fetched = 0;
  for (int i = 0; i < 20; ++i) {  // two seconds in all
    ASSERT_THAT(mesh_.Set(0, "k", std::string(1000, static_cast<char>('a' + i)), "job"), IsOk());
    mesh_.Settle();
    Renew(1);
    mesh_.Advance(100);
    fetched += Held(2)->value == Held(0)->value;
  }
  EXPECT_GE(fetched, 1);
  EXPECT_LE(fetched, 4);
}

// A retry at another node is told by the name that the write carries, which renewals keep.
TEST_F(LeftOut, ARenewalKeepsTheNameOfTheRequestThatSetTheValue) {
  WriteCommand set = mesh_.Command(0, "k", "named");
  set.holder = "job";
  set.request_id = "r1";
  const auto first = mesh_.Write(0, set);
  ASSERT_THAT(first, IsOk());
  mesh_.Settle();
  Renew(1);
  mesh_.Settle();
  const auto again = mesh_.Write(2, set);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(ValueDot(**again), (*first)->dot);
}

}  // namespace
}  // namespace leasemap::core

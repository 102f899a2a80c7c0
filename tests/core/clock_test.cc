// The clock guard by itself, and what a node does with its verdict: writes, lapses, cursors, notes.
#include <gtest/gtest.h>

#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/mesh/clock_guard.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

constexpr int64_t kBound = 500, kAnswer = 10'000;

class Guard : public testing::Test {
 protected:
  using State = ClockGuard::State;
  State After(int64_t ms, int64_t step_ms = 0) {
    now_.mono += ms;
    now_.wall_ms += ms + step_ms;
    guard_.Look(now_, members_);
    return guard_.state();
  }
  State Says(const std::string& member, bool agrees) {
    guard_.Answer(now_, member, agrees);
    return After(0);
  }

  Now now_{MonoTime(1000), 1'000'000};
  size_t members_ = 4;
  ClockGuard guard_{kBound, kAnswer, now_};
};

TEST_F(Guard, HalfOfThoseThatAnswerSuffice) {
  EXPECT_EQ(After(0), State::kAgreed);
  EXPECT_EQ(Says("a", false), State::kOutvoted);
  EXPECT_EQ(Says("b", true), State::kAgreed);  // one of two
  EXPECT_EQ(Says("c", false), State::kOutvoted);
  EXPECT_NE(guard_.Describe().find("2 of the 3"), std::string::npos) << guard_.Describe();
  EXPECT_EQ(Says("c", true), State::kAgreed);  // the last word counts
  EXPECT_EQ(Says("d", false), State::kAgreed);
  EXPECT_EQ(guard_.Describe(), "");
}

TEST_F(Guard, AnswersAgeOut) {
  Says("a", true);
  After(kAnswer - 1);
  EXPECT_EQ(Says("b", false), State::kAgreed);
  EXPECT_EQ(After(1), State::kOutvoted);  // a's word is too old
  EXPECT_EQ(After(kAnswer), State::kAlone);
  EXPECT_TRUE(guard_.trusted());
  EXPECT_NE(guard_.Describe(), "");
  EXPECT_EQ(Says("b", true), State::kAgreed);
}

TEST_F(Guard, AJumpIsDistrustedUntilSomebodyAgrees) {
  Says("a", true);
  Says("b", true);
  for (const int64_t step : {kBound + 1, -kBound - 1}) {
    EXPECT_EQ(After(10, step), State::kJumped);
    EXPECT_FALSE(guard_.trusted());
    EXPECT_EQ(Says("a", false), State::kJumped);
    EXPECT_EQ(Says("b", true), State::kAgreed);
    Says("a", true);
  }
  EXPECT_EQ(After(10, kBound), State::kAgreed);  // within the bound
  EXPECT_EQ(After(10, 1), State::kJumped);       // small steps add up while nobody agrees …
  Says("a", true);
  EXPECT_EQ(After(10, kBound), State::kAgreed);
  Says("a", true);
  EXPECT_EQ(After(10, kBound), State::kAgreed);  // … and not over an agreement
}

TEST_F(Guard, WhatWasSaidBeforeAJumpSaysNothingAboutTheClockAfterIt) {
  Says("a", true);
  After(10, 7'200'000);
  EXPECT_EQ(After(1000), State::kJumped);
  EXPECT_EQ(Says("a", false), State::kJumped);
  After(10, -7'200'000);  // set right again
  EXPECT_EQ(After(0), State::kJumped);
  EXPECT_EQ(Says("b", true), State::kAgreed);  // a's "no" was about the wrong time
}

TEST_F(Guard, AfterAJumpWithNobodyThereItGoesOnInTheEnd) {
  Says("a", true);
  EXPECT_EQ(After(10, 3000), State::kJumped);
  EXPECT_NE(guard_.Describe().find("forward by 3.0s"), std::string::npos) << guard_.Describe();
  EXPECT_EQ(After(kAnswer - 1), State::kJumped);
  EXPECT_EQ(After(1), State::kAlone);
  members_ = 0;
  EXPECT_EQ(After(10, 3000), State::kAgreed);  // there is nobody who could say anything
}

// --- a node

class Clocks : public testing::Test {
 protected:
  // So many nodes, each linked with each, and heard of one another.
  void Link(int nodes) {
    for (int i = 0; i < nodes; ++i) mesh_.Add(std::string(1, static_cast<char>('a' + i)));
    for (int i = 0; i < nodes; ++i) {
      for (int other = i + 1; other < nodes; ++other) links_.push_back(mesh_.Connect(i, other));
    }
    mesh_.Advance(1500);
  }
  std::string Set(int node, const std::string& key = "k", int64_t ephemeral_ms = 0) {
    WriteCommand command;
    command.key = key;
    command.value = "v";
    command.holder = mesh_[node].self().node;
    command.ephemeral = ephemeral_ms > 0;
    if (ephemeral_ms > 0) command.duration_ms = ephemeral_ms;
    const auto written = mesh_.Write(node, command);
    mesh_.Settle();
    if (!written.ok() && ReasonOf(written.status()) == "CLOCK_UNSAFE") {
      EXPECT_EQ(written.status().code(), absl::StatusCode::kUnavailable);
      EXPECT_GT(RetryMsOf(written.status()), 0);
    }
    return written.ok() ? "OK" : ReasonOf(written.status());
  }
  bool Noted(int node, const std::string& part) {
    for (const auto& note : mesh_[node].GetStatus().notes) {
      if (note.find(part) != std::string::npos) return true;
    }
    return false;
  }

  Mesh mesh_;
  std::vector<LinkId> links_;
};

TEST_F(Clocks, AWrongOneRefusesWritesAndTheOthersGoOn) {
  Link(3);
  EXPECT_EQ(Set(0), "OK");
  mesh_.peer(2).offset_ms = 7'200'000;
  EXPECT_EQ(Set(2, "c"), "CLOCK_UNSAFE");  // at once: it sees the jump itself
  EXPECT_TRUE(Noted(2, "writes are refused: this node's clock was set forward by 2h"));
  EXPECT_TRUE(mesh_.Logged(2, "writes are refused"));
  mesh_.Advance(1500);
  EXPECT_FALSE(mesh_.alive(links_[1]) || mesh_.alive(links_[2]));
  EXPECT_EQ(Set(2, "c"), "CLOCK_UNSAFE");
  EXPECT_EQ(Set(0, "a"), "OK");
  EXPECT_EQ(Set(1, "b"), "OK");
  // It is set right, and a member agrees at the handshake.
  mesh_.peer(2).offset_ms = 0;
  EXPECT_EQ(Set(2, "c"), "CLOCK_UNSAFE");
  mesh_.Connect(0, 2);
  EXPECT_EQ(Set(2, "c"), "OK");
  EXPECT_FALSE(Noted(2, "refused: this"));
}

TEST_F(Clocks, OfTwoThatDifferNeitherKnows) {
  Link(2);
  mesh_.peer(1).offset_ms = 3000;
  mesh_.Advance(1500);
  EXPECT_EQ(Set(0), "CLOCK_UNSAFE");
  EXPECT_EQ(Set(1), "CLOCK_UNSAFE");
  EXPECT_TRUE(Noted(0, "1 of the 1 other members that answer"));
  mesh_.Advance(kClockAnswerBeats * kHeartbeatMs);  // and then nobody answers any more
  EXPECT_EQ(Set(0), "OK");
  EXPECT_TRUE(mesh_.Logged(0, "goes on by its own clock"));
}

TEST_F(Clocks, ADriftingOneIsOutvoted) {
  Link(3);
  // Slowly, as no single step would tell.
  for (int i = 0; i < 6; ++i) {
    mesh_.peer(2).offset_ms += 100;
    mesh_.Advance(1000);
  }
  EXPECT_EQ(Set(2), "CLOCK_UNSAFE");
  EXPECT_EQ(Set(0), "OK");
}

TEST_F(Clocks, AStrangerHasNoSay) {
  Link(1);
  const int stranger = mesh_.Add(Mesh::Options("s"), 7'200'000);
  mesh_.Connect(stranger, 0);
  EXPECT_EQ(Set(0), "OK");
}

TEST_F(Clocks, WhatWasWrittenAheadIsNoticedWithTheFirstMemberToo) {
  const int early = mesh_.Add(Mesh::Options("early"), 7'200'000);
  mesh_.Advance(4000);
  EXPECT_EQ(Set(early), "OK");  // it is alone
  mesh_.peer(early).offset_ms = 0;
  const int first = mesh_.Add("first");
  mesh_.Advance(4000);
  EXPECT_EQ(Set(first, "other"), "OK");
  mesh_.Connect(first, early);
  EXPECT_EQ(mesh_[early].retirement().resets(), 1u);
  EXPECT_EQ(mesh_[first].retirement().resets(), 0u);
}

TEST_F(Clocks, OneThatJumpsLetsNothingLapse) {
  Link(3);
  EXPECT_EQ(Set(0, "k", 60'000), "OK");
  Watch watch = *mesh_[2].StartWatch(mesh_.now(2), {}, true, "");
  EXPECT_EQ(mesh_[2].ReadWatch(mesh_.now(2), watch)->events.size(), 1u);
  mesh_.peer(2).offset_ms = 7'200'000;
  mesh_.Advance(5000);
  EXPECT_EQ(mesh_.Value(2, "k"), "v");
  EXPECT_TRUE(mesh_[2].ReadWatch(mesh_.now(2), watch)->events.empty());
  mesh_.peer(2).offset_ms = 0;
  mesh_.Connect(0, 2);
  mesh_.Advance(60'000);
  EXPECT_EQ(mesh_.Value(2, "k"), "(none)");
  const auto batch = mesh_[2].ReadWatch(mesh_.now(2), watch);
  ASSERT_EQ(batch->events.size(), 1u);
  EXPECT_EQ(batch->events[0].kind, EventKind::kExpired);
}

// Measured in the handshake, and told to the guard only once that is done: in between the clock was set.
TEST(ClockOfANode, WhatWasMeasuredBeforeAJumpIsNoAgreement) {
  Mesh mesh;
  const int a = mesh.Add("a"), b = mesh.Add("b");
  mesh.Connect(a, mesh.Add("c"));  // who knows nobody goes by its own clock
  const LinkId link = mesh.Dial(a, b);
  mesh.Settle(2);  // both Hellos
  ASSERT_FALSE(mesh[a].links().IsUp(link));
  mesh.peer(a).offset_ms = 3'600'000;
  mesh.Settle();
  ASSERT_TRUE(mesh[a].links().IsUp(link));
  EXPECT_THAT(mesh.Set(a, "k", "v"), HasReason("CLOCK_UNSAFE"));
}

TEST_F(Clocks, AWatchDoesNotResumeOnOneThatIsNotTrusted) {
  Link(3);
  mesh_.peer(2).offset_ms = -7'200'000;
  mesh_.Advance(100);
  Watch watch = *mesh_[0].StartWatch(mesh_.now(0), {}, false, "");
  const std::string cursor = mesh_[0].ReadWatch(mesh_.now(0), watch)->cursor;
  Watch resumed = *mesh_[2].StartWatch(mesh_.now(2), {}, false, cursor);
  EXPECT_TRUE(mesh_[2].ReadWatch(mesh_.now(2), resumed)->empty());
  mesh_.Skip(kCursorWaitMs);
  EXPECT_THAT(mesh_[2].ReadWatch(mesh_.now(2), resumed), HasReason("NOT_CAUGHT_UP"));
}

}  // namespace
}  // namespace leasemap::core

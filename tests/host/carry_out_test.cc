// The steps of what a node wants done come in one order, each with its own part of the effects.
#include "server/host/carry_out.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace leasemap::host {
namespace {

using ::testing::ElementsAre;

// Notes each step, and what of the effects it saw.
struct Recorder {
  std::vector<std::string> steps;
  bool locked = true;

  void Note(const std::string& step) { steps.push_back(step + (locked ? ", locked" : ", unlocked")); }
  void Persist(core::Effects& effects) { Note("persist before " + std::to_string(effects.send.size()) + " messages"); }
  std::vector<core::Effects::Answered> TakeAnswers(core::Effects& effects) {
    return std::exchange(effects.answered, {});
  }
  void Send(core::Effects& effects) { Note("send " + std::to_string(effects.send.size()) + " messages"); }
  void Unlock() { locked = false; }
  void Answer(const std::vector<core::Effects::Answered>& answers) {
    Note("answer " + std::to_string(answers.size()) + " calls");
  }
  void Wake(bool changed, bool renewed) {
    Note(std::string("wake") + (changed ? " for changes" : "") + (renewed ? " for renewals" : ""));
  }
};

TEST(CarryOut, PersistsThenSendsThenAnswersThenWakes) {
  core::Effects effects;
  effects.send.push_back({core::LinkId{1}, core::Ping{7}});
  effects.send.push_back({core::LinkId{2}, core::Ping{7}});
  effects.answered.push_back({3, absl::OkStatus(), nullptr});
  effects.changed = true;
  Recorder recorder;
  CarryOut(std::move(effects), recorder);
  EXPECT_THAT(recorder.steps, ElementsAre("persist before 2 messages, locked", "send 2 messages, locked",
                                          "answer 1 calls, unlocked", "wake for changes, unlocked"));
}

TEST(CarryOut, TellsChangesFromRenewals) {
  core::Effects effects;
  effects.renewed = true;
  Recorder recorder;
  CarryOut(std::move(effects), recorder);
  EXPECT_EQ(recorder.steps.back(), "wake for renewals, unlocked");
}

}  // namespace
}  // namespace leasemap::host

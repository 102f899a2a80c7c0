// One node whose peers are made by hand: what it sends and does is looked at message by message.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/node/node.h"
#include "tests/core/matchers.h"

namespace leasemap::core {

class NodeAlone : public testing::Test {
 protected:
  static constexpr int64_t kWallMs = 1'700'000'000'000;

  static NodeOptions Options() {
    NodeOptions options;
    options.node_id = "m";
    options.advertise = "m:1";
    return options;
  }
  explicit NodeAlone(const NodeOptions& options = Options()) : node_(options, now_) {}
  void Take() { effects_ = node_.Take(); }
  void Later(int64_t ms) { now_.mono += ms, now_.wall_ms += ms; }
  void Tick() {
    node_.Tick(now_);
    Take();
  }
  void Deliver(LinkId id, Message message) {
    node_.OnMessage(now_, id, std::move(message));
    Take();
  }
  // What was sent on that link by the last call, of that kind.
  template <typename Kind>
  std::vector<Kind> Sent(LinkId id) const {
    std::vector<Kind> out;
    for (const auto& send : effects_.send) {
      const auto* message = std::get_if<Kind>(&send.message);
      if (send.link == id && message != nullptr) out.push_back(*message);
    }
    return out;
  }
  std::vector<std::string> Logged() const {
    std::vector<std::string> out;
    for (const auto& line : effects_.log) out.push_back(line.text);
    return out;
  }
  // Why the last call hung up on that link; "no" if it did not.
  std::string HungUp(LinkId id) const {
    for (const auto& one : effects_.hang_up) {
      if (one.link == id) return one.why;
    }
    return "no";
  }

  Hello HelloOf(const std::string& name, uint64_t incarnation = 1) const {
    Hello hello;
    hello.cluster = "leasemap";
    hello.period_ms = LeaseRules().period_ms;
    hello.self = {name, incarnation};
    hello.wall_ms = now_.wall_ms;
    hello.advertise = name + ":1";
    return hello;
  }
  static Report ReportOf(const VersionVector& vector, bool whole = true) {
    Report report;
    report.vector = std::make_shared<const VersionVector>(vector);
    report.whole = whole;
    report.ceiling_ms = 0;
    report.holds_map = whole && !vector.empty();
    return report;
  }
  // A peer that dialled and shook hands; nothing is taken of it after its Accept but with Take.
  LinkId Link(const std::string& name, const Report& report = ReportOf({}), uint64_t incarnation = 1) {
    next_ = Next(next_);
    node_.OnAccepted(now_, next_, "m:1", name + ":9");
    node_.OnMessage(now_, next_, HelloOf(name, incarnation));
    node_.OnMessage(now_, next_, Accept{now_.wall_ms, report});
    Take();
    return next_;
  }
  bool Linked(LinkId id) const { return node_.links().IsUp(id); }
  static VersionVector Covering(uint64_t upto, const std::string& node = "p") {
    VersionVector vector;
    vector.Add({node, 1}, 1, upto);
    return vector;
  }
  EntryPtr EntryOf(const std::string& key, const ReplicaId& replica, uint64_t seq) const {
    auto entry = std::make_shared<Entry>();
    entry->key = key;
    entry->value = "v";
    entry->dot = {replica, seq};
    entry->lease = {"h",
                    static_cast<uint64_t>(PeriodStartMs({}, now_.wall_ms)) << kEpochShift,
                    now_.wall_ms / 1000,
                    10'000,
                    now_.wall_ms + 10'000,
                    false};
    entry->stamp = StampAt(now_.wall_ms) + seq;
    return entry;
  }
  WriteCommand Command(const std::string& key, Change change = Change::kSet) const {
    WriteCommand command;
    command.key = key;
    command.value = "v";
    command.holder = "h";
    command.change = change;
    return command;
  }
  EntryPtr Write(const WriteCommand& command) {
    const auto written = node_.Write(now_, command);
    EXPECT_THAT(written, IsOk());
    return written.ok() ? *written : nullptr;
  }

  Now now_{MonoTime(1'000'000), kWallMs};
  Node node_;
  Effects effects_;
  LinkId next_{10};
};

}  // namespace leasemap::core

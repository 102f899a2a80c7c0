// The parts of which states are made, each kept once, and what becomes of a node by an event.
//
// A node is a pure function of what it holds and of what it is told, and its digest (inside.h) has all that it holds.
// So for each pair of a node and an event the real code runs once; later the result is looked up. This is what makes
// millions of states a minute possible.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "peer/core/node/node.h"
#include "tests/sim/checkers/write_log.h"
#include "tests/sim/explore/inside.h"
#include "tests/sim/explore/state.h"

namespace leasemap::explore {

// What is told to a node. The time is that of the node.
struct Event {
  enum class Kind : uint32_t { kMessage, kClosed, kPull, kWrite, kStep, kDialed, kAccepted };
  NodeNumber node;
  Kind kind;
  uint32_t link = 0;  // kWrite: the item of the menu. kStep: the links whose heartbeats come and are answered
  MessageNumber message = 0;
  bool operator==(const Event&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Event& e) {
    return H::combine(std::move(h), e.node, static_cast<uint32_t>(e.kind), e.link, e.message);
  }
};

struct Outcome {
  NodeNumber node = 0;  // 0: the event was refused, and changed nothing
  struct Sent {
    uint64_t link;
    MessageNumber message;
  };
  std::vector<Sent> sent;
  std::vector<uint64_t> hung_up;
  core::EntryPtr wrote;
  std::vector<core::EntryPtr> acked;  // clients were told that all members have it
  std::string fault;                  // what a checker said
};

class Pool {
 public:
  explicit Pool(std::vector<core::WriteCommand> menu, int64_t wall_ms) : menu_(std::move(menu)), wall_ms_(wall_ms) {}

  core::Now At(int step) const;
  const std::vector<core::WriteCommand>& menu() const { return menu_; }
  // A node that starts right before this step; `earlier`: how often one did so before it, so that no two processes have
  // the same incarnation.
  NodeNumber Start(const std::string& name, int step, int earlier);
  const core::Node& node(NodeNumber n) const { return *nodes_[n].node; }
  const core::Inside::Link& link(NodeNumber n, uint64_t link) const { return nodes_[n].links[link - 1]; }
  const core::Message& message(MessageNumber m) const { return *messages_[m]; }
  const Outcome& Do(const Event& event);
  const Digest& digest(NodeNumber n) const { return nodes_[n].digest; }
  const Digest& digest_of_log(LogNumber log) const { return log_digests_[log]; }

  // The history `log` and one more write; or what is wrong with that write, in `fault`.
  LogNumber Add(LogNumber log, const core::EntryPtr& entry, std::string* fault);
  const sim::WriteLog& log(LogNumber log) const { return logs_[log]; }
  // What the checkers say of a node against the history.
  std::string Check(NodeNumber node, LogNumber log);

  size_t nodes() const { return nodes_.size() - 1; }
  size_t messages() const { return messages_.size() - 1; }
  size_t outcomes() const { return outcomes_.size(); }

 private:
  struct Kept {
    std::unique_ptr<core::Node> node;
    int step = 0;
    Digest digest;
    std::array<core::Inside::Link, kLinks> links{};
  };
  NodeNumber Keep(std::unique_ptr<core::Node> node, int step);
  MessageNumber Keep(core::Message message);
  void Tell(core::Node& node, const Event& event, int step, Outcome& outcome);
  void Beat(core::Node& node, uint32_t pinged, uint32_t answered, core::Now now);
  std::string Compare(const core::Node& before, const core::Node& after) const;

  const std::vector<core::WriteCommand> menu_;
  const int64_t wall_ms_;
  std::deque<Kept> nodes_{1};
  absl::flat_hash_map<Digest, NodeNumber> node_numbers_;
  std::deque<std::unique_ptr<core::Message>> messages_{1};
  absl::flat_hash_map<Digest, MessageNumber> message_numbers_;
  std::deque<Outcome> outcomes_;
  absl::flat_hash_map<Event, uint32_t> outcome_numbers_;
  std::deque<sim::WriteLog> logs_{1};
  std::vector<Digest> log_digests_{1};
  absl::flat_hash_map<Digest, LogNumber> log_numbers_;
  absl::flat_hash_set<uint64_t> checked_;  // node << 32 | log: all was well
};

}  // namespace leasemap::explore

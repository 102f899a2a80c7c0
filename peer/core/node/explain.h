// One key as every member has it, and the Explain calls that gather it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "peer/core/data/effects.h"
#include "peer/core/data/entry.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/sync/store.h"

namespace leasemap::core {

// How one member sees the key.
struct MemberView {
  ReplicaId member;
  bool asked = false;     // it is linked
  bool answered = false;  // in time; else the entry is not known
  EntryPtr entry;         // null: it has none. Without its value, but for this node's own
  // Writes that this node covers and the member does not, by what it answered or reported last.
  bool lag_known = false;
  uint64_t lag = 0;
  int64_t age_ms = 0;  // how old that knowledge is
};

struct Explanation {
  std::vector<MemberView> views;  // this node first, then the others by ID
};

// The rank as a string of hex digits and a few separators that compares as ranks do: of two entries of a key the one
// with the greater string wins.
std::string RankText(const Entry& entry);

// How many dots `ours` covers and `theirs` does not.
uint64_t CountLacking(const VersionVector& theirs, const VersionVector& ours);

// This node's answer to a peer that explains a key.
QueryReply ReplyTo(const Query& query, const Store& store, const VectorPtr& whole);

// The Explain calls that wait for members' answers.
class Explains {
 public:
  // kMaxExplains wait: no more may begin.
  bool full() const;
  size_t size() const { return pending_.size(); }
  // Begins one: what is known without asking, and which link is to answer for which of the views. `ours`: this node's
  // vector, for the lags. `due` (monotonic): it is answered then at the latest.
  void Begin(WaitId wait, VectorPtr ours, Explanation known, std::map<LinkId, size_t> asked, MonoTime due);
  // An answer; one that nobody waits for is dropped.
  void OnReply(LinkId link, const QueryReply& reply);
  // Ends those that wait for nobody any more: each link has answered or is not there, or the time is over.
  std::vector<Effects::Answered> TakeEnded(MonoTime mono, absl::FunctionRef<bool(LinkId)> is_there);
  // The caller went away. False if it was answered already.
  bool Cancel(WaitId wait) { return pending_.erase(wait) > 0; }
  // TakeEnded ends all of them.
  void EndAll(MonoTime mono);
  MonoTime NextDue() const;

 private:
  struct Pending {
    VectorPtr ours;
    Explanation explanation;
    std::map<LinkId, size_t> asked;  // the links whose answer is missing → their views
    MonoTime due{};
  };
  std::map<WaitId, Pending> pending_;  // kMaxExplains at most
};

}  // namespace leasemap::core

// The users who watch: they move between the nodes with their cursors, some of which they keep for long, and fold what
// they hear into a map (checkers/watchers.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/checkers/watchers.h"
#include "tests/sim/world.h"

namespace leasemap::sim {

class Watching {
 public:
  // How long they stay with a node and keep a cursor is multiplied by the pace.
  Watching(World& world, int watchers, int64_t pace);

  // They move until Stop, and follow for ever.
  void Start();
  void Stop();
  // From now on they look for a node among these only.
  void Only(std::vector<int> hosts);
  // Some cursors name writes of which no node can tell that they are gone: a member that might hold them is away for
  // good, or (in a line) too far off to be heard of. Then a watcher takes a snapshot anew after three vain waits.
  void MayGiveUp() { may_give_up_ = true; }
  // At quiescence: each watcher's fold against the map of its node.
  std::string Check() const;
  uint64_t events() const;
  uint64_t moves() const { return moves_; }
  uint64_t expired() const { return expired_; }
  uint64_t passes() const { return passes_; }  // cursors that came before the head

 private:
  struct Watcher {
    core::WatchFilter filter;
    Fold fold;
    std::optional<core::Watch> watch;  // none: looking for a node
    int host = -1;
    ProcessId process = 0;
    int64_t wake_us = 0;  // the read that is in the queue; 0: none
    int vain = 0;         // NOT_CAUGHT_UP so often since the last batch
    bool slow = false;    // it reads one message in a while, as long as clients write
    int64_t busy_until_us = 0;
  };

  void Connect(size_t id);
  void Disconnect(size_t id);
  // Once it has been away for so long.
  void MoveLater(size_t id, int64_t away_us);
  void Read(size_t id);
  void Ended(size_t id, const absl::Status& why);
  void Wake(size_t id, int64_t after_us);
  void OnChanged(int host);

  World& world_;
  core::Random random_;
  const int64_t pace_;
  std::vector<int> hosts_;  // where they look for a node
  std::vector<Watcher> watchers_;
  bool stopped_ = false, may_give_up_ = false;
  uint64_t moves_ = 0, expired_ = 0, passes_ = 0;
};

}  // namespace leasemap::sim

// The users of a simulated cluster: writers that set, delete, renew and release a few keys under several holders, and
// watchers that move between the nodes with their cursors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/checkers/watchers.h"
#include "tests/sim/world.h"

namespace leasemap::sim {

class Clients {
 public:
  Clients(World& world, int writers, int watchers, int keys, int64_t pause_us);

  // So many keys more are set early on: a map that no watch and no session tells in one message.
  void Fill(int keys) { fill_ = keys; }
  // Writers go on until Stop; watchers move until then, and follow for ever.
  void Start();
  void Stop() { stopped_ = true; }
  // Some cursors name writes of which no node can tell that they are gone: a member that might hold them is away for
  // good, or (in a line) too far off to be heard of. Then a watcher takes a snapshot anew after three vain waits.
  void MayGiveUp() { may_give_up_ = true; }
  // At quiescence: each watcher's fold against the map of its node.
  std::string Check() const;
  uint64_t events() const;
  uint64_t moves() const { return moves_; }
  uint64_t expired() const { return expired_; }

 private:
  struct Watcher {
    core::WatchFilter filter;
    Fold fold;
    std::optional<core::Watch> watch;  // none: looking for a node
    int host = -1;
    ProcessId process = 0;
    int64_t wake_us = 0;  // the read that is in the queue; 0: none
    int vain = 0;         // NOT_CAUGHT_UP so often since the last batch
  };

  void WriteSome(int writer);
  void FillSome();
  core::WriteCommand RandomCommand(int host, int writer);
  void Connect(size_t id);
  void Disconnect(size_t id);
  void MoveLater(size_t id);
  void Read(size_t id);
  void Wake(size_t id, int64_t after_us);
  void OnChanged(int host);

  World& world_;
  core::Random random_;
  const int writers_, keys_;
  const int64_t pause_us_;
  int fill_ = 0;
  std::vector<Watcher> watchers_;
  bool stopped_ = false, may_give_up_ = false;
  uint64_t moves_ = 0, expired_ = 0, next_value_ = 0;
};

}  // namespace leasemap::sim

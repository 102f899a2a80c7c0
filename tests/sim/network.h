// The network between the simulated nodes, as TCP shows it: links that are FIFO while they live and may end at any
// time, with what was under way lost; latency that varies; paths cut in one or both directions, over which nothing is
// lost but everything waits; dials that are refused, time out, or come late.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "peer/core/membership.h"
#include "peer/core/message.h"
#include "tests/sim/queue.h"

namespace leasemap::sim {

using ProcessId = uint64_t;  // one run of one node; 0: none

std::string AddressOf(int host);

class Network {
 public:
  // What processes hear of it.
  struct Events {
    std::function<void(ProcessId, core::LinkId, const std::string& address)> dialed;
    std::function<void(ProcessId, const std::string& address)> dial_failed;
    std::function<void(ProcessId, core::LinkId, const std::string& remote)> accepted;
    std::function<void(ProcessId, core::LinkId, core::Message)> message;
    std::function<void(ProcessId, core::LinkId)> closed;
    std::function<void(ProcessId, core::LinkId)> room;  // a bulk message arrived: another may go
  };
  Network(Queue& queue, uint64_t seed, Events events) : queue_(queue), random_(seed), events_(std::move(events)) {}

  void SetLatency(int64_t least_us, int64_t most_us) { least_us_ = least_us, most_us_ = most_us; }
  void Up(int host, ProcessId process) { processes_[host] = process; }
  // The process ends. Silently: the machine went with it, so nobody is told.
  void Down(int host, bool silently);

  void Dial(int host, const std::string& address);
  void Send(core::LinkId link, core::Message message, bool bulk);
  void HangUp(core::LinkId link);
  int BulkUnderWay(core::LinkId link) const;

  // --- faults
  void Cut(int from, int to) { cuts_.insert({from, to}); }
  void Mend(int from, int to);
  void MendAll();
  // There is no way between the two, now or later.
  void Separate(int a, int b);
  // Ends a random share of all links at once.
  void ResetLinks(int percent);

 private:
  struct Item {
    int64_t at_us;
    bool bulk;
    bool fin;
    core::Message message;
  };
  struct Pipe {
    int from = 0, to = 0;
    std::deque<Item> items;
    int64_t last_us = 0;
    int bulk = 0;
    bool ended = false;    // nothing more is taken
    bool waiting = false;  // an event for its first item is in the queue
  };
  struct End {
    ProcessId process = 0;
    bool open = false;
  };
  // Side 0 dialled. Side s sends into pipes[s]. The link IDs of the sides are 2 × number + side.
  struct Connection {
    End ends[2];
    Pipe pipes[2];
  };

  static uint64_t NumberOf(core::LinkId link) { return link / 2; }
  static core::LinkId LinkOf(uint64_t number, int side) { return number * 2 + static_cast<uint64_t>(side); }
  bool Open(int from, int to) const { return !cuts_.contains({from, to}) && !missing_.contains({from, to}); }
  ProcessId ProcessAt(int host) const;
  int64_t Latency() { return least_us_ + random_.Below(most_us_ - least_us_ + 1); }
  void Connect(int from, ProcessId dialer, int to, const std::string& address);
  void Put(uint64_t number, int side, Item item);
  void Await(uint64_t number, int side);
  void Deliver(uint64_t number, int side);
  void Finish(uint64_t number, int side, bool lose);
  void Forget(uint64_t number);

  Queue& queue_;
  core::Random random_;
  Events events_;
  int64_t least_us_ = 200, most_us_ = 3000;
  std::map<int, ProcessId> processes_;
  std::set<std::pair<int, int>> cuts_, missing_;
  std::map<uint64_t, Connection> connections_;
  uint64_t next_ = 1;
};

}  // namespace leasemap::sim

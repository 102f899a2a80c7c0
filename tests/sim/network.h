// The network between the simulated nodes, as TCP shows it: links that are FIFO while they live and may end at any
// time, with what was under way lost; latency that varies, now and then by a minute; paths cut in one or both
// directions (reach.h), over which nothing is lost but everything waits; dials that are refused, time out, or come
// late. A process that stands still gets nothing until it goes on.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "peer/core/data/message.h"
#include "peer/core/mesh/membership.h"
#include "tests/sim/queue.h"
#include "tests/sim/reach.h"

namespace leasemap::sim {

using ProcessId = uint64_t;  // one run of one node; 0: none

std::string AddressOf(int place);

class Network {
 public:
  // What processes hear of it.
  struct Events {
    std::function<void(ProcessId, core::LinkId, const std::string& address)> dialed;
    std::function<void(ProcessId, const std::string& address, const std::string& why)> dial_failed;
    std::function<void(ProcessId, core::LinkId, const std::string& remote)> accepted;
    std::function<void(ProcessId, core::LinkId, core::Message)> message;
    std::function<void(ProcessId, core::LinkId)> piece;      // … a part of a large one that takes long
    std::function<void(ProcessId, core::LinkId)> malformed;  // bytes that can't be read
    std::function<void(ProcessId, core::LinkId)> closed;
    std::function<void(ProcessId, core::LinkId)> room;  // a bulk message arrived: another may go
  };
  Network(Queue& queue, uint64_t seed, int places, Events events);

  int places() const { return reach_.places(); }
  void SetLatency(int64_t least_us, int64_t most_us) { least_us_ = least_us, most_us_ = most_us; }
  // What is large (sessions, writes) takes up to so much longer, and pieces of it come meanwhile. What is small
  // overtakes it, as it does in peer/net/outbox.h.
  void SetBulk(int64_t most_us) { bulk_most_us_ = most_us; }
  // So many of 10,000 messages take far longer: mostly some 100 ms, seldom up to a minute. What follows them waits too.
  void SetTail(int of_10000) { tail_ = of_10000; }
  // Links between these places are neither slow nor reset any more.
  void Spare(const std::vector<int>& places);
  void Up(int place, ProcessId process) { processes_[place] = process; }
  // The process ends. Silently: the machine went with it, so nobody is told.
  void Down(int place, bool silently);
  // The process at this place stands still, or goes on.
  void Hold(int place, bool still);

  void Dial(int place, const std::string& address);
  void Send(core::LinkId link, core::Message message, bool bulk);
  // Bytes that the other side can't read.
  void SendJunk(core::LinkId link);
  void HangUp(core::LinkId link);
  // The process at the other end; 0 if the link is over.
  ProcessId Peer(core::LinkId link) const;
  int BulkUnderWay(core::LinkId link) const;

  Reach& reach() { return reach_; }
  // To be called when paths were mended: what waited goes on, after a while for retransmission.
  void Flow();
  // Ends a random share of all links at once, in the middle of what is under way.
  void ResetLinks(int percent);
  // The longest queue of one direction of a link so far.
  size_t longest() const { return longest_; }

 private:
  struct Item {
    bool bulk, fin, junk;
    core::Message message;
    int64_t begins_us = 0;  // when its first byte arrives
    int64_t at_us = 0;      // … its last
  };
  struct Pipe {
    int from = 0, to = 0;
    std::deque<Item> items;
    int64_t last_begin_us = 0;  // Item::begins_us of the last item
    int64_t last_us = 0;        // the latest Item::at_us
    int bulk = 0;
    bool ended = false;    // nothing more is taken
    bool shut = false;     // nothing is given out yet
    int64_t event_us = 0;  // the next event for it in the queue; 0: none
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

  static uint64_t NumberOf(core::LinkId link) { return static_cast<uint64_t>(link) / 2; }
  static size_t SideOf(core::LinkId link) { return static_cast<uint64_t>(link) % 2; }
  static core::LinkId LinkOf(uint64_t number, int side) {
    return core::LinkId{number * 2 + static_cast<uint64_t>(side)};
  }
  Connection* Find(uint64_t number) const { return number < by_number_.size() ? by_number_[number] : nullptr; }
  int64_t Latency(int from, int to);
  bool Spared(int from, int to) const { return spared_[from] && spared_[to]; }
  void Connect(int from, ProcessId dialer, int to, const std::string& address);
  void Put(uint64_t number, int side, Item item);
  void Await(uint64_t number, int side);
  void Deliver(uint64_t number, int side);
  void Finish(uint64_t number, int side, bool lose);
  void Forget(uint64_t number);

  Queue& queue_;
  core::Random random_;
  Events events_;
  Reach reach_;
  int64_t least_us_ = 200, most_us_ = 3000;
  int64_t bulk_most_us_ = 0;
  int tail_ = 0;
  std::vector<ProcessId> processes_;  // by place; 0: nobody there
  std::vector<bool> still_, spared_;  // by place
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> by_number_;  // null: over
  size_t longest_ = 0;
};

}  // namespace leasemap::sim

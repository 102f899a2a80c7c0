// See network.h. One event in the queue for the first item of each direction; a cut path keeps the items waiting.
#include "tests/sim/network.h"

#include <charconv>
#include <vector>

#include "peer/core/limits.h"

namespace leasemap::sim {

std::string AddressOf(int host) { return "node-" + std::to_string(host) + ":7401"; }

namespace {
int HostAt(const std::string& address) {
  int host = -1;
  if (address.rfind("node-", 0) == 0) std::from_chars(address.data() + 5, address.data() + address.size(), host);
  return host;
}
}  // namespace

ProcessId Network::ProcessAt(int host) const {
  auto it = processes_.find(host);
  return it == processes_.end() ? 0 : it->second;
}

void Network::Dial(int host, const std::string& address) {
  const ProcessId dialer = ProcessAt(host);
  const int to = HostAt(address);
  const auto fail = [=, this] { events_.dial_failed(dialer, address); };
  if (!Open(host, to) || !Open(to, host)) return queue_.After(core::kDialTimeoutMs * 1000, fail);
  queue_.After(Latency(), [=, this] {
    if (ProcessAt(host) != dialer) return;
    if (!Open(host, to)) return queue_.After(core::kDialTimeoutMs * 1000, fail);
    if (ProcessAt(to) == 0) return queue_.After(Latency(), fail);  // refused
    Connect(host, dialer, to, address);
  });
}

// The SYN arrived: the acceptor has the link at once, the dialer after the way back.
void Network::Connect(int from, ProcessId dialer, int to, const std::string& address) {
  const uint64_t number = next_++;
  Connection& made = connections_[number];
  made.ends[0] = {dialer, true};
  made.ends[1] = {ProcessAt(to), true};
  made.pipes[0].from = made.pipes[1].to = from;
  made.pipes[0].to = made.pipes[1].from = to;
  events_.accepted(made.ends[1].process, LinkOf(number, 1), AddressOf(from));
  queue_.After(Latency(), [=, this] {
    if (ProcessAt(from) != dialer) return;
    auto it = connections_.find(number);
    if (it == connections_.end() || !it->second.ends[0].open) return events_.dial_failed(dialer, address);
    events_.dialed(dialer, LinkOf(number, 0), address);
    // What the acceptor sent meanwhile could not have come before this.
    Await(number, 1);
  });
}

void Network::Send(core::LinkId link, core::Message message, bool bulk) {
  Put(NumberOf(link), static_cast<int>(link % 2), {0, bulk, false, std::move(message)});
}

void Network::HangUp(core::LinkId link) {
  auto it = connections_.find(NumberOf(link));
  const int side = static_cast<int>(link % 2);
  if (it == connections_.end() || !it->second.ends[side].open) return;
  it->second.ends[side].open = false;
  Finish(NumberOf(link), side, false);
  Forget(NumberOf(link));
}

int Network::BulkUnderWay(core::LinkId link) const {
  auto it = connections_.find(NumberOf(link));
  return it == connections_.end() ? 0 : it->second.pipes[link % 2].bulk;
}

void Network::Put(uint64_t number, int side, Item item) {
  auto it = connections_.find(number);
  if (it == connections_.end() || it->second.pipes[side].ended) return;
  Pipe& pipe = it->second.pipes[side];
  pipe.ended = item.fin;
  pipe.bulk += item.bulk;
  item.at_us = pipe.last_us = std::max(pipe.last_us, queue_.now_us() + Latency());
  pipe.items.push_back(std::move(item));
  Await(number, side);
}

void Network::Await(uint64_t number, int side) {
  auto it = connections_.find(number);
  if (it == connections_.end()) return;
  Pipe& pipe = it->second.pipes[side];
  if (pipe.waiting || pipe.items.empty() || !Open(pipe.from, pipe.to)) return;
  pipe.waiting = true;
  queue_.After(pipe.items.front().at_us - queue_.now_us(), [=, this] { Deliver(number, side); });
}

void Network::Deliver(uint64_t number, int side) {
  auto it = connections_.find(number);
  if (it == connections_.end()) return;
  Connection& connection = it->second;
  Pipe& pipe = connection.pipes[side];
  pipe.waiting = false;
  if (pipe.items.empty() || !Open(pipe.from, pipe.to)) return;  // a cut path: waits until it is mended
  Item item = std::move(pipe.items.front());
  pipe.items.pop_front();
  pipe.bulk -= item.bulk;
  End& sender = connection.ends[side];
  End& receiver = connection.ends[1 - side];
  const ProcessId there = ProcessAt(pipe.to);
  if (receiver.open && there == receiver.process) {
    receiver.open = !item.fin;
    Await(number, side);
    // The calls below may change connections_; nothing of it is used after the first of them.
    const bool room = item.bulk && sender.open;
    const ProcessId from = sender.process, to = receiver.process;
    if (item.fin) {
      events_.closed(to, LinkOf(number, 1 - side));
    } else {
      events_.message(to, LinkOf(number, 1 - side), std::move(item.message));
    }
    if (room) events_.room(from, LinkOf(number, side));
    return Forget(number);
  }
  // Nobody there: a machine that is up says so (RST), one that is down says nothing.
  if (there != 0 && sender.open) Finish(number, 1 - side, true);
  Await(number, side);
  Forget(number);
}

// The side sends no more, and the other hears of it after what is under way; `lose`: some of that never comes.
void Network::Finish(uint64_t number, int side, bool lose) {
  auto it = connections_.find(number);
  if (it == connections_.end() || it->second.pipes[side].ended) return;
  Pipe& pipe = it->second.pipes[side];
  while (lose && !pipe.items.empty() && random_.Below(4) != 0) {
    pipe.bulk -= pipe.items.back().bulk;
    pipe.items.pop_back();
  }
  Put(number, side, {0, false, true, core::Message{}});
}

// A connection that neither side has any more, with nothing under way.
void Network::Forget(uint64_t number) {
  auto it = connections_.find(number);
  if (it == connections_.end()) return;
  for (int side = 0; side < 2; ++side) {
    if (it->second.ends[side].open) return;
  }
  connections_.erase(it);
}

void Network::Down(int host, bool silently) {
  const ProcessId process = ProcessAt(host);
  processes_[host] = 0;
  std::vector<std::pair<uint64_t, int>> ends;
  for (auto& [number, connection] : connections_) {
    for (int side = 0; side < 2; ++side) {
      if (connection.ends[side].open && connection.ends[side].process == process) ends.emplace_back(number, side);
    }
  }
  for (const auto& [number, side] : ends) {
    connections_.at(number).ends[side].open = false;
    if (!silently) Finish(number, side, true);  // else: what left before still arrives, and nothing more
    Forget(number);
  }
}

void Network::Mend(int from, int to) {
  if (cuts_.erase({from, to}) == 0) return;
  for (auto& [number, connection] : connections_) {
    for (int side = 0; side < 2; ++side) {
      Pipe& pipe = connection.pipes[side];
      if (pipe.from != from || pipe.to != to || pipe.items.empty()) continue;
      // Retransmission finds the mended path after a while.
      const int64_t at_us = queue_.now_us() + 1000 + random_.Below(800'000);
      for (Item& item : pipe.items) item.at_us = std::max(item.at_us, at_us);
      pipe.last_us = std::max(pipe.last_us, at_us);
      Await(number, side);
    }
  }
}

void Network::MendAll() {
  const auto cuts = cuts_;
  for (const auto& [from, to] : cuts) Mend(from, to);
}

void Network::Separate(int a, int b) {
  missing_.insert({a, b});
  missing_.insert({b, a});
}

void Network::ResetLinks(int percent) {
  std::vector<uint64_t> chosen;
  for (const auto& [number, connection] : connections_) {
    if (random_.Below(100) < percent) chosen.push_back(number);
  }
  for (const uint64_t number : chosen) {
    for (int side = 0; side < 2; ++side) Finish(number, side, true);
  }
}

}  // namespace leasemap::sim

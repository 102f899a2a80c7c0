// See network.h. One event in the queue for the first item of each direction; a cut path keeps the items waiting.
#include "tests/sim/network.h"

#include <charconv>
#include <iterator>
#include <utility>

#include "peer/core/data/limits.h"

namespace leasemap::sim {

std::string AddressOf(int place) { return "node-" + std::to_string(place) + ":7401"; }

namespace {
constexpr int64_t kMostDelayUs = 60'000'000;
// Pieces of what takes long come so often.
constexpr int64_t kPieceUs = 500'000;

int PlaceAt(const std::string& address) {
  int place = -1;
  if (address.rfind("node-", 0) == 0) std::from_chars(address.data() + 5, address.data() + address.size(), place);
  return place;
}
}  // namespace

Network::Network(Queue& queue, uint64_t seed, int places, Events events)
    : queue_(queue),
      random_(seed),
      events_(std::move(events)),
      reach_(places),
      processes_(static_cast<size_t>(places)),
      still_(static_cast<size_t>(places)),
      spared_(static_cast<size_t>(places)),
      by_number_{nullptr} {
  queue_.Handle(Queue::kDeliver, [this](uint32_t side, uint64_t number) { Deliver(number, static_cast<int>(side)); });
}

void Network::Spare(const std::vector<int>& places) {
  spared_.assign(spared_.size(), false);
  for (const int place : places) spared_[place] = true;
}

int64_t Network::Latency(int from, int to) {
  int64_t us = least_us_ + random_.Below(most_us_ - least_us_ + 1);
  // 1 / u of an even u: the chance to be above x falls with 1 / x.
  if (tail_ == 0 || Spared(from, to)) return us;
  if (random_.Below(10'000) < tail_) us += std::min(kMostDelayUs, 60'000'000 / (1 + random_.Below(1000)));
  return us;
}

void Network::Dial(int place, const std::string& address) {
  const ProcessId dialer = processes_[place];
  const int to = PlaceAt(address);
  const auto fail = [=, this] { events_.dial_failed(dialer, address, "connection refused"); };
  if (!reach_.Open(place, to) || !reach_.Open(to, place)) return queue_.After(core::kDialTimeoutMs * 1000, fail);
  queue_.After(Latency(place, to), [=, this] {
    if (processes_[place] != dialer) return;
    if (!reach_.Open(place, to)) return queue_.After(core::kDialTimeoutMs * 1000, fail);
    if (processes_[to] == 0) return queue_.After(Latency(to, place), fail);  // refused
    Connect(place, dialer, to, address);
  });
}

// The SYN arrived: the acceptor has the link at once, the dialer after the way back.
void Network::Connect(int from, ProcessId dialer, int to, const std::string& address) {
  const uint64_t number = by_number_.size();
  Connection& made = *connections_.emplace(number, std::make_unique<Connection>()).first->second;
  by_number_.push_back(&made);
  made.ends[0] = {dialer, true};
  made.ends[1] = {processes_[to], true};
  made.pipes[0].from = made.pipes[1].to = from;
  made.pipes[0].to = made.pipes[1].from = to;
  made.pipes[1].shut = true;  // what the acceptor sends can't come before the dialer has the link
  events_.accepted(made.ends[1].process, LinkOf(number, 1), AddressOf(from));
  queue_.After(Latency(to, from), [=, this] {
    if (processes_[from] != dialer) return;
    Connection* connection = Find(number);
    if (connection == nullptr || !connection->ends[0].open) {
      return events_.dial_failed(dialer, address, "connection reset");
    }
    connection->pipes[1].shut = false;
    events_.dialed(dialer, LinkOf(number, 0), address);
    Await(number, 1);
  });
}

void Network::Send(core::LinkId link, core::Message message, bool bulk) {
  Put(NumberOf(link), static_cast<int>(SideOf(link)), {bulk, false, false, std::move(message)});
}

void Network::SendJunk(core::LinkId link) {
  Put(NumberOf(link), static_cast<int>(SideOf(link)), {false, false, true, core::Message{}});
}

ProcessId Network::Peer(core::LinkId link) const {
  const Connection* connection = Find(NumberOf(link));
  return connection == nullptr ? 0 : connection->ends[1 - SideOf(link)].process;
}

void Network::HangUp(core::LinkId link) {
  Connection* connection = Find(NumberOf(link));
  const int side = static_cast<int>(SideOf(link));
  if (connection == nullptr || !connection->ends[side].open) return;
  connection->ends[side].open = false;
  Finish(NumberOf(link), side, false);
  Forget(NumberOf(link));
}

int Network::BulkUnderWay(core::LinkId link) const {
  const Connection* connection = Find(NumberOf(link));
  return connection == nullptr ? 0 : connection->pipes[SideOf(link)].bulk;
}

void Network::Put(uint64_t number, int side, Item item) {
  Connection* connection = Find(number);
  if (connection == nullptr || connection->pipes[side].ended) return;
  Pipe& pipe = connection->pipes[side];
  pipe.ended = item.fin;
  pipe.bulk += item.bulk;
  const bool small = !item.bulk && !item.fin && !item.junk;
  // One stream of bytes: what is stalled on its way stalls all that follows.
  item.begins_us = std::max(pipe.last_begin_us, queue_.now_us() + Latency(pipe.from, pipe.to));
  item.at_us = small ? item.begins_us : std::max(pipe.last_us, item.begins_us);
  if (item.bulk && bulk_most_us_ > 0) item.at_us += random_.Below(bulk_most_us_);
  pipe.last_begin_us = item.begins_us;
  pipe.last_us = std::max(pipe.last_us, item.at_us);
  auto place = pipe.items.end();
  if (small) {
    while (place != pipe.items.begin() && std::prev(place)->bulk && std::prev(place)->at_us > item.at_us) --place;
  }
  pipe.items.insert(place, std::move(item));
  longest_ = std::max(longest_, pipe.items.size());
  Await(number, side);
}

// Of several events in the queue for one direction only the one that is noted counts.
void Network::Await(uint64_t number, int side) {
  Connection* connection = Find(number);
  if (connection == nullptr) return;
  Pipe& pipe = connection->pipes[side];
  if (pipe.shut || pipe.items.empty() || still_[pipe.to] || !reach_.Open(pipe.from, pipe.to)) return;
  const Item& item = pipe.items.front();
  int64_t at_us = std::max(item.at_us, queue_.now_us());
  if (item.bulk) at_us = std::min(at_us, std::max(item.begins_us, queue_.now_us()) + kPieceUs);
  if (pipe.event_us != 0 && pipe.event_us <= at_us) return;
  pipe.event_us = at_us;
  queue_.Post(at_us - queue_.now_us(), Queue::kDeliver, static_cast<uint32_t>(side), number);
}

void Network::Deliver(uint64_t number, int side) {
  Connection* connection = Find(number);
  if (connection == nullptr) return;
  Pipe& pipe = connection->pipes[side];
  if (pipe.event_us != queue_.now_us()) return;
  pipe.event_us = 0;
  // A cut path, or a process that stands still: waits until it is over.
  if (pipe.items.empty() || still_[pipe.to] || !reach_.Open(pipe.from, pipe.to)) return;
  End& sender = connection->ends[side];
  End& receiver = connection->ends[1 - side];
  const ProcessId there = processes_[pipe.to];
  if (pipe.items.front().at_us > queue_.now_us()) {
    Await(number, side);
    if (receiver.open && there == receiver.process) events_.piece(there, LinkOf(number, 1 - side));
    return;
  }
  Item item = std::move(pipe.items.front());
  pipe.items.pop_front();
  pipe.bulk -= item.bulk;
  if (receiver.open && there == receiver.process) {
    receiver.open = !item.fin;
    Await(number, side);
    // The calls below may end the connection; nothing of it is used after the first of them.
    const bool room = item.bulk && sender.open;
    const ProcessId from = sender.process, to = receiver.process;
    if (item.fin) {
      events_.closed(to, LinkOf(number, 1 - side));
    } else if (item.junk) {
      events_.malformed(to, LinkOf(number, 1 - side));
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

// The side sends no more, and the other hears of it after what is under way; `lose`: some of that never comes, as when
// a link is reset in the middle of a frame.
void Network::Finish(uint64_t number, int side, bool lose) {
  Connection* connection = Find(number);
  if (connection == nullptr || connection->pipes[side].ended) return;
  Pipe& pipe = connection->pipes[side];
  while (lose && !pipe.items.empty() && random_.Below(4) != 0) {
    pipe.bulk -= pipe.items.back().bulk;
    pipe.items.pop_back();
  }
  Put(number, side, {false, true, false, core::Message{}});
}

// A connection that neither side has any more, with nothing under way.
void Network::Forget(uint64_t number) {
  const Connection* connection = Find(number);
  if (connection == nullptr || connection->ends[0].open || connection->ends[1].open) return;
  by_number_[number] = nullptr;
  connections_.erase(number);
}

void Network::Down(int place, bool silently) {
  const ProcessId process = std::exchange(processes_[place], 0);
  still_[place] = false;
  std::vector<std::pair<uint64_t, int>> ends;
  for (const auto& [number, connection] : connections_) {
    for (int side = 0; side < 2; ++side) {
      if (connection->ends[side].open && connection->ends[side].process == process) ends.emplace_back(number, side);
    }
  }
  for (const auto& [number, side] : ends) {
    Find(number)->ends[side].open = false;
    if (!silently) Finish(number, side, true);  // else: what left before still arrives, and nothing more
    Await(number, 1 - side);
    Forget(number);
  }
}

void Network::Hold(int place, bool still) {
  still_[place] = still;
  if (still) return;
  for (const auto& [number, connection] : connections_) {
    for (int side = 0; side < 2; ++side) {
      if (connection->pipes[side].to == place) Await(number, side);
    }
  }
}

void Network::Flow() {
  for (const auto& [number, connection] : connections_) {
    for (int side = 0; side < 2; ++side) {
      Pipe& pipe = connection->pipes[side];
      if (pipe.event_us != 0 || pipe.shut || pipe.items.empty() || still_[pipe.to] || !reach_.Open(pipe.from, pipe.to))
        continue;
      const int64_t at_us = queue_.now_us() + 1000 + random_.Below(800'000);
      for (Item& item : pipe.items) {
        item.begins_us = std::max(item.begins_us, at_us);
        item.at_us = std::max(item.at_us, at_us);
      }
      pipe.last_us = std::max(pipe.last_us, at_us);
      pipe.last_begin_us = std::max(pipe.last_begin_us, at_us);
      Await(number, side);
    }
  }
}

void Network::ResetLinks(int percent) {
  std::vector<uint64_t> chosen;
  for (const auto& [number, connection] : connections_) {
    const bool spared = Spared(connection->pipes[0].from, connection->pipes[0].to);
    if (!spared && random_.Below(100) < percent) chosen.push_back(number);
  }
  for (const uint64_t number : chosen) {
    for (int side = 0; side < 2; ++side) Finish(number, side, true);
  }
}

}  // namespace leasemap::sim

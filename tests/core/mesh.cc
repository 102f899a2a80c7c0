// See mesh.h.
#include "tests/core/mesh.h"

#include <algorithm>

namespace leasemap::core {

LinkId Mesh::Dial(int a, int b, const std::string& address) {
  const LinkId link = next_link_;
  next_link_ = Next(Next(next_link_));
  ends_[link] = {a, {}};
  ends_[Next(link)] = {b, {}};
  const std::string from = peers_[a].node->options().advertise;
  const std::string to = address.empty() ? peers_[b].node->options().advertise : address;
  peers_[b].node->OnAccepted(now(b), Next(link), to, from);
  peers_[a].node->OnDialed(now(a), link, to, from);
  return link;
}

int Mesh::Settle(int steps) {
  int done = 0;
  for (bool moved = true; moved && done < steps;) {
    moved = false;
    for (size_t i = 0; i < peers_.size(); ++i) moved |= Perform(static_cast<int>(i));
    for (auto it = ends_.begin(); it != ends_.end() && done < steps; ++it) {
      if (it->second.inbox.empty() || frozen_.contains(it->first)) continue;
      Message message = std::move(it->second.inbox.front());
      it->second.inbox.pop_front();
      const int to = it->second.peer;
      peers_[to].node->OnMessage(now(to), it->first, std::move(message));
      ++done;
      moved = true;
      break;  // effects first: they may end links
    }
  }
  return done;
}

void Mesh::Advance(int64_t ms) {
  for (const MonoTime end = mono_ + ms; mono_ < end;) {
    mono_ += std::min<int64_t>(10, end - mono_);
    for (size_t i = 0; i < peers_.size(); ++i) {
      if (!peers_[i].down) peers_[i].node->Tick(now(static_cast<int>(i)));
    }
    Settle();
  }
}

absl::StatusOr<EntryPtr> Mesh::Set(int i, const std::string& key, const std::string& value, const std::string& holder) {
  WriteCommand command = Command(i, key, value);
  if (!holder.empty()) command.holder = holder;
  return Write(i, command);
}

void Mesh::Cut(int a, int b) {
  cut_.insert(std::minmax(a, b));
  for (const auto& [link, end] : ends_) {
    const auto other = ends_.find(OtherEnd(link));
    if (end.peer == a && other != ends_.end() && other->second.peer == b) Freeze(link);
  }
}

void Mesh::Heal(int a, int b) {
  Mend(a, b);
  for (const auto& [link, end] : ends_) {
    const auto other = ends_.find(OtherEnd(link));
    if (other == ends_.end() || std::minmax(end.peer, other->second.peer) != std::minmax(a, b)) continue;
    frozen_.erase(link);
  }
  Settle();
}

void Mesh::Kill(int i) {
  peers_[i].down = true;
  Restart(i);
}

void Mesh::Restart(int i, const Image* image) { Start(i, peers_[i].node->options(), image); }

void Mesh::Replace(int i, const NodeOptions& options) {
  peers_[i].log.clear();
  peers_[i].dialed.clear();
  Start(i, options, nullptr);
}

void Mesh::Start(int i, const NodeOptions options, const Image* image) {
  std::vector<LinkId> others;
  for (auto it = ends_.begin(); it != ends_.end();) {
    if (it->second.peer == i) others.push_back(OtherEnd(it->first));
    it = it->second.peer == i ? ends_.erase(it) : std::next(it);
  }
  peers_[i].node = std::make_unique<Node>(options, now(i), image);
  for (const LinkId link : others) Close(link);
  Settle();
}

void Mesh::Close(LinkId link) {
  auto it = ends_.find(link);
  if (it == ends_.end()) return;
  const int peer = it->second.peer;
  ends_.erase(it);
  peers_[peer].node->OnClosed(now(peer), link);
}

// What the shell does of its own: dials are answered, and names are resolved.
void Mesh::Dials(int i, const Effects& effects) {
  for (const auto& name : effects.resolve) {
    if (hanging_.contains(name)) continue;
    const auto known = names_.find(name);
    const auto addresses = known == names_.end() ? std::vector<std::string>{name} : known->second;
    peers_[i].node->OnResolved(now(i), name, addresses, addresses.empty() ? "no such name" : "");
  }
  for (const auto& address : effects.dial) {
    int there = static_cast<int>(peers_.size());
    if (const auto led = leads_.find(address); led != leads_.end()) there = led->second;
    for (int n = 0; n < static_cast<int>(peers_.size()); ++n) {
      if (!peers_[n].down && peers_[n].node->options().advertise == address) there = n;
    }
    if (there == static_cast<int>(peers_.size()) || cut_.contains(std::minmax(i, there))) {
      peers_[i].node->OnDialFailed(now(i), address, "connection refused");
    } else {
      Dial(i, there, address);
    }
  }
}

// Two nodes share no entry: on the wire it is bytes.
void Mesh::Put(LinkId link, Message message) {
  const auto to = ends_.find(OtherEnd(link));
  if (to == ends_.end()) return;
  const auto copy = [](std::vector<EntryPtr>& entries) {
    for (EntryPtr& entry : entries) entry = std::make_shared<const Entry>(*entry);
  };
  if (auto* live = std::get_if<Live>(&message)) copy(live->entries);
  if (auto* session = std::get_if<SessionEntries>(&message)) copy(session->entries);
  to->second.inbox.push_back(std::move(message));
}

bool Mesh::Perform(int i) {
  Effects effects = peers_[i].node->Take();
  if (effects.empty() || peers_[i].down) return false;
  for (auto& send : effects.send) Put(send.link, std::move(send.message));
  if (effects.pull) {
    for (const LinkId link : peers_[i].node->LinksToPull()) {
      while (auto message = peers_[i].node->Pull(now(i), link)) Put(link, *std::move(message));
    }
  }
  for (const auto& hang_up : effects.hang_up) {
    // What was sent before arrives first.
    ends_.erase(hang_up.link);
    const LinkId other = OtherEnd(hang_up.link);
    if (frozen_.contains(other)) continue;
    while (ends_.contains(other) && !ends_.at(other).inbox.empty()) {
      Message message = std::move(ends_.at(other).inbox.front());
      ends_.at(other).inbox.pop_front();
      const int to = ends_.at(other).peer;
      peers_[to].node->OnMessage(now(to), other, std::move(message));
    }
    Close(other);
  }
  for (const auto& address : effects.dial) peers_[i].dialed.push_back(address);
  for (auto& line : effects.log) peers_[i].log.push_back(line.text);
  for (auto& answer : effects.answered) peers_[i].answered.emplace(answer.wait, std::move(answer));
  for (auto& heard : effects.heard) peers_[i].heard.push_back(std::move(heard));
  if (dial_themselves_) Dials(i, effects);
  return true;
}

}  // namespace leasemap::core

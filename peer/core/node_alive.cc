// What keeps a link alive: heartbeats, whatever else comes, and the pieces of what takes long.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/core/node.h"

namespace leasemap::core {

void Node::Heard(Now now, Link& link) {
  link.heard_ms = now.mono_ms;
  if (link.phase == Link::Phase::kUp) membership_.Heard(link.peer.self.node, now);
}

void Node::OnPiece(Now now, LinkId id) {
  auto it = links_.find(id);
  if (it == links_.end()) return;
  Heard(now, it->second);
  it->second.piece_ms = now.mono_ms;
  if (asking_ && asking_->link == id) asking_->heard_ms = now.mono_ms;
}

int64_t Node::SilentAfter(const Link& link) const {
  return options_.timing.silent * (link.piece_ms ? kSilentInMessage : 1);
}

int64_t Node::HandshakeMost(const Link& link) const {
  return options_.timing.handshake * (link.piece_ms ? kHandshakeInMessage : 1);
}

void Node::Heartbeats(Now now) {
  std::vector<std::pair<LinkId, std::string>> ended;
  // Where one is due, those that would be soon go along: a node with many members wakes up once for all of them.
  const auto due = [&](int64_t early_ms) {
    return [=, this](const auto& item) {
      const Link& link = item.second;
      return link.phase == Link::Phase::kUp && now.mono_ms - link.ping_ms >= options_.timing.heartbeat - early_ms;
    };
  };
  const int64_t early_ms = std::any_of(links_.begin(), links_.end(), due(0)) ? options_.timing.heartbeat / 4 : 0;
  for (auto& [id, link] : links_) {
    if (link.phase == Link::Phase::kUp) {
      if (now.mono_ms - link.heard_ms >= SilentAfter(link)) {
        ended.emplace_back(id, absl::StrCat(link.peer.self.node, " (", link.address, ") was silent for ",
                                            ShownDuration(SilentAfter(link))));
      } else if (now.mono_ms - link.ping_ms >= options_.timing.heartbeat - early_ms) {
        link.ping_ms = now.mono_ms;
        effects_.send.push_back({id, Ping{static_cast<uint64_t>(now.mono_ms)}});
      }
    } else if (link.phase != Link::Phase::kProbing && now.mono_ms - link.opened_ms >= HandshakeMost(link)) {
      ended.emplace_back(
          id,
          link.dialed ? absl::StrCat(link.address, ": no handshake within ", ShownDuration(HandshakeMost(link))) : "");
    }
  }
  for (const auto& [id, why] : ended) {
    if (links_.contains(id)) Drop(now, id, why);
  }
}

}  // namespace leasemap::core

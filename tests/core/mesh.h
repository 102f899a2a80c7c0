// A few nodes and hand-made links between them, for tests: time moves when told to, messages when asked.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "peer/core/data/bytes.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/node/node.h"

namespace leasemap::core {

class Mesh {
 public:
  static constexpr int64_t kStart = 1'699'998'800'000;  // UTC milliseconds; with mono_ below ten minutes into an hour

  struct Peer {
    std::unique_ptr<Node> node;
    int64_t offset_ms = 0;  // of its wall clock
    std::vector<std::string> log, dialed;
    std::vector<Effects::Heard> heard;
    std::map<WaitId, Effects::Answered> answered;
    bool down = false;  // its process is over: dials of its address are refused
  };

  static NodeOptions Options(const std::string& id) {
    NodeOptions options;
    options.node_id = id;
    options.advertise = id + ":1";
    options.seed = Hash64(id);
    return options;
  }

  int Add(const NodeOptions& options, int64_t offset_ms = 0) {
    Peer peer;
    peer.offset_ms = offset_ms;
    peer.node = std::make_unique<Node>(options, Now{mono_, mono_.ms() + kStart + offset_ms});
    peers_.push_back(std::move(peer));
    return static_cast<int>(peers_.size()) - 1;
  }
  int Add(const std::string& id) { return Add(Options(id)); }

  Node& operator[](int i) { return *peers_[i].node; }
  Peer& peer(int i) { return peers_[i]; }
  MonoTime mono() const { return mono_; }
  Now now(int i) const { return {mono_, mono_.ms() + kStart + peers_[i].offset_ms}; }

  // A link has a number for each of its two ends.
  static LinkId OtherEnd(LinkId link) { return LinkId{static_cast<uint64_t>(link) ^ 1}; }
  // a dials b, at that address or the one it advertises; nothing is delivered yet. Returns a's end; b's is one more.
  LinkId Dial(int a, int b, const std::string& address = "");
  LinkId Connect(int a, int b) {
    const LinkId link = Dial(a, b);
    Settle();
    return link;
  }
  void Break(LinkId link) {
    Close(link);
    Close(OtherEnd(link));
    Settle();
  }
  bool alive(LinkId link) const { return ends_.contains(link) && ends_.contains(OtherEnd(link)); }
  // The process of a peer ends, and another starts in its place: empty, or from an image.
  void Restart(int i, const Image* image = nullptr);
  // … of another name.
  void Replace(int i, const NodeOptions& options);
  // The far end hears nothing any more, and nobody is told.
  void Freeze(LinkId link) { frozen_[link] = frozen_[OtherEnd(link)] = true; }
  // From now on nodes dial and resolve by themselves: an address leads to the peer that advertises it and is not down.
  void DialThemselves() { dial_themselves_ = true; }
  // What a name stands for then; a name that is not given stands for itself. An empty list: it is not known. Hangs: no
  // answer ever comes.
  void Name(const std::string& name, std::vector<std::string> addresses) { names_[name] = std::move(addresses); }
  void Hang(const std::string& name) { hanging_.insert(name); }
  // The address leads to that peer, whatever the peer advertises.
  void Lead(const std::string& address, int to) { leads_[address] = to; }
  // The process ends, and its links with it; nobody takes its place.
  void Kill(int i);
  // Links between the two are frozen, and neither gets through to the other, until Mend.
  void Cut(int a, int b);
  void Mend(int a, int b) { cut_.erase(std::minmax(a, b)); }
  // … and what waited on links between them comes now.
  void Heal(int a, int b);
  // What waited on that link comes now.
  void Thaw(LinkId link) {
    frozen_.erase(link);
    frozen_.erase(OtherEnd(link));
    Settle();
  }

  // Carries out effects and delivers until nothing moves; at most `steps` messages.
  int Settle(int steps = 1'000'000);
  void Advance(int64_t ms);
  // Lets the clock go on without a tick: for long times in which nothing is looked at.
  void Skip(int64_t ms) { mono_ += ms; }

  // Sets key = value on a node under a holder.
  absl::StatusOr<EntryPtr> Set(int i, const std::string& key, const std::string& value, const std::string& holder = "");
  absl::StatusOr<EntryPtr> Write(int i, const WriteCommand& command) { return peers_[i].node->Write(now(i), command); }
  absl::StatusOr<Submitted> Submit(int i, const WriteCommand& command) {
    return peers_[i].node->Submit(now(i), command);
  }
  // The answer to a wait of a node; null while there is none.
  const Effects::Answered* Answer(int i, WaitId wait) const {
    auto it = peers_[i].answered.find(wait);
    return it == peers_[i].answered.end() ? nullptr : &it->second;
  }
  // A command with the node's own ID as its holder.
  WriteCommand Command(int i, const std::string& key, const std::string& value = "v") const {
    WriteCommand command;
    command.key = key;
    command.value = value;
    command.holder = peers_[i].node->self().node;
    return command;
  }
  std::string Value(int i, const std::string& key) {
    const EntryPtr entry = peers_[i].node->Get(now(i), key);
    return entry ? entry->value.str() : "(none)";
  }
  bool Logged(int i, const std::string& part) const {
    for (const auto& line : peers_[i].log) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  }

 private:
  struct End {
    int peer;
    std::deque<Message> inbox;
  };

  void Start(int i, const NodeOptions options, const Image* image);
  void Close(LinkId link);
  bool Perform(int i);
  void Dials(int i, const Effects& effects);
  void Put(LinkId link, Message message);

  MonoTime mono_{1'000'000};
  std::vector<Peer> peers_;
  LinkId next_link_{2};
  std::map<LinkId, End> ends_;
  std::map<LinkId, bool> frozen_;
  bool dial_themselves_ = false;
  std::map<std::string, std::vector<std::string>> names_;
  std::set<std::string> hanging_;
  std::set<std::pair<int, int>> cut_;  // smaller first
  std::map<std::string, int> leads_;
};

}  // namespace leasemap::core

// One link of a node: what its handshake agreed on, and the parts that keep the rest.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "peer/core/data/limits.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/mesh/ceiling_talk.h"
#include "peer/core/mesh/lack.h"
#include "peer/core/mesh/liveness.h"
#include "peer/core/mesh/outflow.h"
#include "peer/core/mesh/peer_report.h"
#include "peer/core/mesh/told_report.h"

namespace leasemap::core {

class Link {
 public:
  // How far the handshake has come. Probing: it is done but for another link of the same member, which may be dead.
  enum class Phase { kHelloSent, kAwaitHello, kAwaitAccept, kProbing, kUp };

  // `dialed`: by this node. `address`: what was dialled, or the remote end; `local`: this end; host:port both.
  Link(MonoTime mono, bool dialed, std::string address, std::string local)
      : alive(mono),
        phase_(dialed ? Phase::kHelloSent : Phase::kAwaitHello),
        dialed_(dialed),
        address_(std::move(address)),
        local_(std::move(local)) {}

  // --- the handshake
  Phase phase() const { return phase_; }
  bool up() const { return phase_ == Phase::kUp; }
  bool dialed() const { return dialed_; }
  const std::string& address() const { return address_; }
  const std::string& local() const { return local_; }
  // A Hello of the peer came; before that nothing is known of it.
  bool helloed() const { return helloed_; }
  const Hello& peer() const { return peer_; }
  const ReplicaId& member() const { return peer_.self; }
  const std::string& node() const { return peer_.self.node; }

  bool AwaitsHello() const { return !helloed_ && (phase_ == Phase::kHelloSent || phase_ == Phase::kAwaitHello); }
  void TakeHello(Hello hello);
  // The peer refused as one that is linked already, so it is known.
  void NoteKnown() { helloed_ = true; }
  // Our Hello (dialer) or the answer to theirs (acceptor) left: a round trip over which the clocks are compared.
  void NoteSent(MonoTime mono) { sent_ = mono; }
  MonoTime sent() const { return sent_; }
  void AwaitAccept() { phase_ = Phase::kAwaitAccept; }
  // The clocks of both ends were compared: they are within the bound, or not.
  bool clock_agrees() const { return clock_agrees_; }
  void SetClockAgrees(bool agrees) { clock_agrees_ = agrees; }
  // The membership knows how this dial ended.
  bool settled() const { return settled_; }
  void Settle() { settled_ = true; }

  // --- its parts
  Liveness alive;
  CeilingTalk ceiling;
  PeerReport theirs;
  ToldReport told;
  Lack lack;
  Outflow out;

 private:
  friend struct Inside;  // see node.h
  friend class Links;    // moves it on to kUp and kProbing

  // Another link of the member, which answers a ping or makes room.
  struct Probe {
    LinkId first = LinkId::kNone;
    MonoTime until, heard;  // how long it may take, and when it was heard before
  };

  Phase phase_;
  bool dialed_;
  std::string address_, local_;
  Hello peer_;
  bool helloed_ = false;
  bool settled_ = false;
  MonoTime sent_{};
  bool clock_agrees_ = false;
  Probe probe_;
};

}  // namespace leasemap::core

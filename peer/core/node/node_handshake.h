// How two nodes meet: the handshake on one link.
//
//   dialer             acceptor
//   Hello        →                      judges it
//                ←     Hello            or Refuse
//   Accept       →                      or Refuse; the clocks are compared by both, over one round trip
//                ←     Accept           the link is up at the acceptor once this is sent …
//                                       … and at the dialer once it came
//
// (What each side judges by: mesh/handshake.h. What keeps a link alive: node_alive.cc.)
#pragma once

#include "peer/core/node/node.h"

namespace leasemap::core {

// For the time of one call: each step may drop the link.
class Node::Handshake {
 public:
  Handshake(Node& node, Now now, LinkId id, Link& link) : node_(node), now_(now), id_(id), link_(link) {}

  void SendHello();
  void OnHello(Hello hello);
  // Our part after their Hello was found good.
  void Answer();
  void OnAccept(const Accept& accept);
  void OnRefuse(const Refuse& refuse);
  // It never began: TLS failed.
  void Fail(const std::string& why);
  // Tells the peer why, and hangs up.
  void TurnAway(const Refuse& refuse);

 private:
  void SendAccept();
  bool OutrunOldSelf(const Report& report);
  void Establish(const Report& report);
  void NoteRefusal(RefusalLog::By by, const Refuse& refuse);

  Node& node_;
  const Now now_;
  const LinkId id_;
  Link& link_;
};

}  // namespace leasemap::core

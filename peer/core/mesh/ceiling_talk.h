// What the two ends of a link told each other of their ceilings (ceiling.h).
#pragma once

#include "peer/core/data/message.h"
#include "peer/core/sync/ceiling.h"

namespace leasemap::core {

class CeilingTalk {
 public:
  // Ours, as told in the handshake; the peer's, as told last.
  const CeilingWord& ours() const { return ours_; }
  const CeilingWord& theirs() const { return theirs_; }
  // The peer's map is not taken: it has to yield itself.
  bool shunned() const { return shunned_; }

  void Tell(const CeilingWord& ours) { ours_ = ours; }
  // A report came, or the one of the handshake. True if the peer's word is another one now.
  bool Hear(const Report& report);
  // The peer has to say it again: most likely its clock was set, too.
  void Forget() { theirs_ = {}; }
  void Shun(bool shunned) { shunned_ = shunned; }

 private:
  friend struct Inside;  // see node.h

  CeilingWord ours_, theirs_;
  bool shunned_ = false;
};

}  // namespace leasemap::core

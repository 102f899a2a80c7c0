// What the shell has to do after a call of Node, in this order:
//
//   1. persist what was applied. With a disk that goes on beside the other steps: `unsaved` says that there is
//   something
//      to take (Node::TakeUnsaved), and Node::OnSaved brings the answers and reports that waited for it
//   2. log, send, pull, hang up, dial, resolve
//   3. answer the calls that waited
//   4. wake those who watch
//
// A step begins when the one before is done for these effects, or, for step 2, handed over. The node itself holds back
// what must not run ahead of its disk: answers, reports and cursors. The server does it in server/host/carry_out.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"

namespace leasemap::core {

struct Explanation;  // explain.h

struct Now {
  MonoTime mono{};      // for time-outs
  int64_t wall_ms = 0;  // UTC; for leases and stamps
  // How far the wall clock is ahead of the monotonic one: it changes when somebody sets the wall clock.
  int64_t offset_ms() const { return wall_ms - mono.ms(); }
};

// Names a call that waits in the node (waits.h); 0 is none.
using WaitId = uint64_t;

struct Effects {
  struct Send {
    LinkId link;
    Message message;
  };
  struct HangUp {
    LinkId link;
    std::string why;  // empty: nothing worth a line in the log
  };
  struct Heard {
    std::string from_node;
    std::string payload;
  };
  // The end of a wait that Node::Submit, AwaitVersion or Explain began.
  struct Answered {
    WaitId wait;
    absl::Status status;
    EntryPtr entry;                                    // of Submit: the write, also when its acks are incomplete
    std::shared_ptr<const Explanation> explanation{};  // of Explain
  };
  struct Log {
    bool warning;
    std::string text;
  };

  // --- step 1
  bool unsaved = false;  // the disk lacks something, and nothing is on its way there
  // --- step 2
  std::vector<Log> log;
  std::vector<Send> send;            // small messages, in order for each link
  bool pull = false;                 // some link has something for Node::Pull; after what is in `send` for it
  std::vector<HangUp> hang_up;       // after what was sent before on that link
  std::vector<std::string> dial;     // host:port; answered by OnDialed or OnDialFailed
  std::vector<std::string> resolve;  // seeds; answered by OnResolved
  std::vector<Heard> heard;          // broadcasts for the subscribers here
  // --- step 3, once the messages were handed over: another node may have the write before its writer hears of it
  std::vector<Answered> answered;  // calls that need wait no longer
  // --- step 4, after the answers
  bool changed = false;  // the store, a vector or the state of a member changed: watches look again
  bool renewed = false;  // a lease was renewed: watches that asked for renewals look again

  bool empty() const {
    return send.empty() && !pull && hang_up.empty() && dial.empty() && resolve.empty() && !changed && !renewed &&
           heard.empty() && answered.empty() && log.empty();
  }
};

}  // namespace leasemap::core

// The order in which the shell does what the node wants done. This is the one place that knows it.
//
//   1. persist   wakes the thread that saves (saver.h). The node itself holds back what must not run ahead of the disk:
//                answers, reports and cursors (docs/decisions/0030)
//   2. send      messages, pulls, hang-ups, dials and names to resolve, handed to the network thread, with the lines of
//                the log and broadcasts for subscribers here
//   3. answer    calls that waited in the node
//   4. wake      watches, which then read the map
//
// Steps 1 and 2 are done under the
// node's lock, which keeps the effects of two calls in the order of the calls. Steps 3 and 4 run other people's code
// and are done without it. A call that has nothing to persist passes all four on the thread that it came in on.
#pragma once

#include "peer/core/data/effects.h"

namespace leasemap::host {

// `shell` has a function for each step. TakeAnswers takes out what Answer is to call, since that needs the lock; Unlock
// gives the lock back. Send sees `changed` and `renewed`, too: what changed may make something due earlier.
template <typename Shell>
void CarryOut(core::Effects effects, Shell& shell) {
  const bool changed = effects.changed, renewed = effects.renewed;
  shell.Persist(effects);
  auto answers = shell.TakeAnswers(effects);
  shell.Send(effects);
  shell.Unlock();
  shell.Answer(answers);
  shell.Wake(changed, renewed);
}

}  // namespace leasemap::host

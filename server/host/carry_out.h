// The order in which the shell does what the node wants done. This is the one place that knows it.
//
//   1. persist   what has to outlive this process (nothing yet: there is no disk)
//   2. send      messages, pulls, hang-ups, dials and names to resolve, by the network thread
//   3. answer    calls that waited in the node
//   4. wake      watches, which then read the map
//
// So nothing leaves this process, and nobody is answered, before it is persisted. Steps 1 and 2 are done under the
// node's lock, which keeps the effects of two calls in the order of the calls. Steps 3 and 4 run other people's code
// and are done without it. A call that has nothing to persist passes all four on the thread that it came in on.
#pragma once

#include <utility>

#include "peer/core/data/effects.h"

namespace leasemap::host {

// `shell` has a function for each step. Persist and Send take what is theirs out of the effects; Unlock gives the lock
// back, and returns what Answer is to call.
template <typename Shell>
void CarryOut(core::Effects effects, Shell& shell) {
  const bool changed = std::exchange(effects.changed, false);
  const bool renewed = std::exchange(effects.renewed, false);
  shell.Persist(effects);
  auto answers = shell.TakeAnswers(effects);
  shell.Send(effects);
  shell.Unlock();
  shell.Answer(answers);
  shell.Wake(changed, renewed);
}

}  // namespace leasemap::host

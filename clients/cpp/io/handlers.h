// The thread that runs what a program gave to be called back: handlers of watches and maps, what is told of leases, and
// the outcomes of asynchronous calls, one after another. A handler may take its time, and may make calls that wait: the
// loop, which renews leases, goes on meanwhile. Each caller of Post sees to a bound: a stream has one message here, a
// map one batch of events, a client 10,000 calls.
#pragma once

#include <functional>
#include <memory>

namespace leasemap::internal {

class Handlers {
 public:
  using Task = std::function<void()>;

  Handlers();
  ~Handlers();
  Handlers(const Handlers&) = delete;
  Handlers& operator=(const Handlers&) = delete;

  // Any thread. After End the task does not run.
  void Post(Task task);
  // This is the handlers' thread.
  bool OnThread() const;
  // Runs what was posted, and ends the thread; waits for that unless it is called by a handler. May be called again.
  void End();

 private:
  struct State;
  static void Run(State& state);
  std::shared_ptr<State> state_;  // outlives this object if a handler ends it
};

}  // namespace leasemap::internal

#include "clients/cpp/io/handlers.h"

#include <pthread.h>

#include <deque>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace leasemap::internal {

struct Handlers::State {
  absl::Mutex mutex;  // guards what follows; held for one look
  std::deque<Task> tasks ABSL_GUARDED_BY(mutex);
  bool ending ABSL_GUARDED_BY(mutex) = false;
  std::thread thread ABSL_GUARDED_BY(mutex);
  std::thread::id id;  // written before any task is posted

  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return !tasks.empty() || ending; }
};

Handlers::Handlers() : state_(std::make_shared<State>()) {
  absl::MutexLock lock(&state_->mutex);
  state_->thread = std::thread([state = state_] { Run(*state); });
  state_->id = state_->thread.get_id();
  // For debuggers and top. Named from here, the thread has its name when a program can first count it.
  pthread_setname_np(state_->thread.native_handle(), "leasemap-calls");
}

Handlers::~Handlers() { End(); }

void Handlers::Post(Task task) {
  absl::MutexLock lock(&state_->mutex);
  if (!state_->ending) state_->tasks.push_back(std::move(task));
}

bool Handlers::OnThread() const { return std::this_thread::get_id() == state_->id; }

void Handlers::End() {
  std::thread thread;
  {
    absl::MutexLock lock(&state_->mutex);
    state_->ending = true;
    thread.swap(state_->thread);
  }
  if (!thread.joinable()) return;
  if (OnThread()) {
    thread.detach();
  } else {
    thread.join();
  }
}

void Handlers::Run(State& state) {
  while (true) {
    Task task;
    {
      absl::MutexLock lock(&state.mutex);
      state.mutex.Await(absl::Condition(&state, &State::HasWork));
      if (state.tasks.empty()) return;
      task = std::move(state.tasks.front());
      state.tasks.pop_front();
    }
    task();
  }
}

}  // namespace leasemap::internal

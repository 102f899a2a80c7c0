// Watches of one kind, one after another, on whatever node is home. It never gives up by itself: it tries the nodes in
// turn, and each at most every two seconds. On the loop.
#pragma once

#include <memory>
#include <string>

#include "clients/cpp/io/engine.h"
#include "clients/cpp/io/stream.h"

namespace leasemap::internal {

// What is done with the messages.
class Follower {
 public:
  virtual ~Follower() = default;
  // What the next stream asks for.
  virtual v1::WatchRequest Request() = 0;
  // A message of the stream. The next one comes after Following::Next.
  virtual void Took(const v1::WatchResponse& message) = 0;
  // The stream ended with this error; false: there is to be no further one.
  virtual bool Broke(const absl::Status& status) = 0;
  // There is no further stream, since Broke said so or the client was closed: nothing is called any more.
  virtual void Ended() = 0;
};

class Following : public std::enable_shared_from_this<Following> {
 public:
  // The follower must live until Stop, or until it is told that all ended.
  Following(Engine& engine, Follower& follower) : engine_(engine), follower_(&follower) {}
  ~Following();

  void Start();
  void Next();
  // The follower cannot go on with this stream for this reason: the next one is tried.
  void Fail(const absl::Status& status);
  // The next stream asks for something else; no node is to blame. It does not wait for the pause after a refusal.
  void Reopen();
  // Nothing is called any more.
  void Stop();

  // The node of the stream; empty while there is none.
  std::string target() const { return stream_ ? stream_->target() : ""; }
  // For the engine: the client left this node; the client was closed.
  void MoveAway();
  void ClientClosed();

 private:
  void Open();
  void OnEnd(const absl::Status& status);
  absl::Duration PauseAfter(const std::string& target, const absl::Status& status);

  Engine& engine_;
  Follower* follower_;  // null once it is told nothing any more
  std::shared_ptr<Stream> stream_;
  bool refused_ = false;  // the last stream was; the next one waits for a long pause
};

}  // namespace leasemap::internal

// One watch of one node, as gRPC has it. On the loop; it keeps itself alive until it has ended.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/async_stream.h>

#include <functional>
#include <memory>
#include <string>

#include "clients/cpp/io/engine.h"

namespace leasemap::internal {

// How long a watch may be silent before it is taken for dead. A node says something every 15 s at least.
inline constexpr absl::Duration kSilenceMost = absl::Seconds(20);

class Stream final : public Operation, public std::enable_shared_from_this<Stream> {
 public:
  using OnMessage = std::function<void(const v1::WatchResponse&)>;
  using OnEnd = std::function<void(absl::Status)>;

  Stream(Engine& engine, std::string target, OnMessage on_message, OnEnd on_end);

  void Start(const v1::WatchRequest& request);
  // Asks for the next message; only after the one before was given out.
  void Next();
  // Ends it: OnEnd comes, unless Forget was called.
  void Cancel();
  // Nothing is called back any more.
  void Forget();
  const std::string& target() const { return target_; }

  void Done(bool ok) override;

 private:
  enum class At { kStarting, kReading, kIdle, kFinishing, kDone };
  void Listen();
  void Finish();

  Engine& engine_;
  const std::string target_;
  OnMessage on_message_;
  OnEnd on_end_;
  At at_ = At::kStarting;
  std::shared_ptr<Stream> self_;  // until it has ended
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncReader<v1::WatchResponse>> reader_;
  v1::WatchResponse message_;
  grpc::Status status_;
  Loop::Timer silence_{};
};

}  // namespace leasemap::internal

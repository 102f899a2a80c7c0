#include "clients/cli/watch_stream.h"

#include "absl/time/clock.h"

namespace leasemap::cli {

WatchStream::WatchStream(v1::KeyValue::Stub& stub, const v1::WatchRequest& request)
    : reader_(stub.PrepareAsyncWatch(&context_, request, &queue_)) {
  reader_->StartCall(this);
}

const v1::WatchResponse* WatchStream::Read(absl::Duration patience) {
  if (!started_) {
    started_ = true;
    if (!Wait(patience)) return nullptr;
  }
  response_.Clear();
  reader_->Read(&response_, this);
  return Wait(patience) ? &response_ : nullptr;
}

grpc::Status WatchStream::Finish() {
  grpc::Status status;
  reader_->Finish(&status, this);
  Wait(absl::InfiniteDuration());
  if (silent_) return {grpc::StatusCode::DEADLINE_EXCEEDED, "nothing came from the node"};
  return status;
}

bool WatchStream::Wait(absl::Duration patience) {
  void* tag = nullptr;
  bool ok = false;
  const auto deadline = patience == absl::InfiniteDuration() ? std::chrono::system_clock::time_point::max()
                                                             : absl::ToChronoTime(absl::Now() + patience);
  if (queue_.AsyncNext(&tag, &ok, deadline) == grpc::CompletionQueue::TIMEOUT) {
    silent_ = true;
    context_.TryCancel();
    queue_.Next(&tag, &ok);
    return false;
  }
  return ok;
}

}  // namespace leasemap::cli

#include "peer/net/outbox.h"

#include <iterator>
#include <utility>

namespace leasemap::net {

void Outbox::Queue(const core::Message& message, std::deque<Frames>& queue) {
  std::vector<std::string> frames = encoder_.Encode(message);
  for (const std::string& frame : frames) bytes_ += frame.size();
  queue.emplace_back(std::make_move_iterator(frames.begin()), std::make_move_iterator(frames.end()));
}

void Outbox::Add(const core::Message& message) {
  if (std::holds_alternative<core::Ping>(message) || std::holds_alternative<core::Pong>(message)) {
    for (std::string& frame : encoder_.Encode(message)) {
      bytes_ += frame.size();
      urgent_.push_back(std::move(frame));
    }
  } else if (const auto* report = std::get_if<core::Report>(&message)) {
    report_ = *report;
  } else {
    Queue(message, small_);
  }
}

void Outbox::AddBulk(const core::Message& message) { Queue(message, bulk_); }

std::string Outbox::Take(Frames& frames) {
  std::string frame = std::move(frames.front());
  frames.pop_front();
  bytes_ -= frame.size();
  return frame;
}

std::string Outbox::Next() {
  if (!urgent_.empty()) return Take(urgent_);
  if (small_.empty() && report_) Queue(*std::exchange(report_, std::nullopt), small_);
  const bool may_begin = rest_.empty() || (rest_is_bulk_ && !small_.empty() && small_.front().size() == 1);
  if (!may_begin) return Take(rest_);
  std::deque<Frames>& queue = !small_.empty() ? small_ : bulk_;
  if (queue.empty()) return "";
  std::string frame = Take(queue.front());
  if (!queue.front().empty()) {
    rest_ = std::move(queue.front());
    rest_is_bulk_ = &queue == &bulk_;
  }
  queue.pop_front();
  return frame;
}

bool Outbox::empty() const { return urgent_.empty() && rest_.empty() && small_.empty() && bulk_.empty() && !report_; }

void Outbox::Clear() {
  urgent_.clear(), rest_.clear(), small_.clear(), bulk_.clear();
  report_.reset();
  bytes_ = 0;
}

}  // namespace leasemap::net

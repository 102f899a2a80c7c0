// A transport on a thread of its own, and a Hello, for tests of the mesh's sockets.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "asio/executor_work_guard.hpp"
#include "asio/io_context.hpp"
#include "asio/post.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peer/net/transport.h"
#include "peer/threads/mutex.h"
#include "tests/matchers/status.h"

namespace leasemap::net {

// It notes what it is told.
class Port {
 public:
  Port() : transport_(io_, Callbacks()) {
    EXPECT_THAT(transport_.Listen("127.0.0.1:0"), IsOk());
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Port() {
    asio::post(io_, [this] {
      transport_.Stop();
      work_.reset();
    });
    thread_.join();
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", transport_.port()); }
  uint16_t port() const { return transport_.port(); }
  template <typename F>
  void Do(F f) {
    asio::post(io_, [this, f] { f(transport_); });
  }
  template <typename F>
  auto Look(F f) {
    const MutexLock lock(mutex_);
    return f(*this);
  }

  core::LinkId accepted{}, dialed{};
  int closed = 0, malformed = 0, unproven = 0, failed = 0, pulls_left = 0, pieces = 0;
  std::string why, unresolved;
  std::vector<core::Message> messages;
  std::vector<std::string> resolved;

 private:
  Transport::Callbacks Callbacks() {
    Transport::Callbacks c;
    c.on_dialed = [this](core::LinkId link, const std::string&, const std::string&) { Note([&] { dialed = link; }); };
    c.on_dial_failed = [this](const std::string&, const std::string&) { Note([&] { ++failed; }); };
    c.on_resolved = [this](const std::string&, const std::vector<std::string>& a, const std::string& text) {
      Note([&] { resolved = a, unresolved = text; });
    };
    c.on_accepted = [this](core::LinkId link, const std::string&, const std::string&) {
      Note([&] { accepted = link; });
    };
    c.on_message = [this](core::LinkId, core::Message m) { Note([&] { messages.push_back(std::move(m)); }); };
    c.on_piece = [this](core::LinkId) { Note([&] { ++pieces; }); };
    c.on_smaller = [](const std::string&) {};
    c.on_malformed = [this](core::LinkId, const std::string& text) { Note([&] { ++malformed, why = text; }); };
    c.on_unproven = [this](core::LinkId link, const std::string& text) {
      Note([&] { ++unproven, why = text; });
      transport_.HangUp(link);
    };
    c.on_closed = [this](core::LinkId, const std::string& text) { Note([&] { ++closed, why = text; }); };
    c.pull = [this](core::LinkId) -> std::optional<core::Message> {
      const MutexLock lock(mutex_);
      if (pulls_left == 0) return std::nullopt;
      --pulls_left;
      core::Entry entry;
      entry.key = "k";
      entry.value = std::string(60 << 10, 'x');
      entry.lease.holder = "h";
      entry.dot = {{"n", 1}, 1};
      return core::Live{{std::make_shared<core::Entry>(entry)}};
    };
    return c;
  }
  template <typename F>
  void Note(F f) {
    const MutexLock lock(mutex_);
    f();
  }

  Mutex mutex_;
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  Transport transport_;
  std::thread thread_;
};

inline core::Hello SomeHello() {
  core::Hello hello;
  hello.self = {"n", 1};
  return hello;
}

}  // namespace leasemap::net

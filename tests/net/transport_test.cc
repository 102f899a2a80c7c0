// The mesh's port against strangers: junk, half handshakes and idle sockets are closed, members are not disturbed.
#include "peer/net/transport.h"

#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "asio/connect.hpp"
#include "asio/post.hpp"
#include "asio/read.hpp"
#include "asio/write.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peer/core/data/limits.h"
#include "peer/threads/mutex.h"
#include "peer/wire/codec.h"
#include "tests/matchers/status.h"
#include "tests/net/port.h"
#include "tests/support/eventually.h"

namespace leasemap::net {
namespace {

using asio::ip::tcp;
using testing::Eventually;

TEST(Transport, DialedAndAcceptedEndsTalk) {
  Port a, b;
  a.Do([&](Transport& t) { t.Dial(b.address()); });
  ASSERT_TRUE(Eventually([&] { return a.Look([](Port& p) { return p.dialed; }) != core::LinkId::kNone; }));
  a.Do([&](Transport& t) { t.Send(core::LinkId{1}, SomeHello()); });
  ASSERT_TRUE(Eventually([&] { return b.Look([](Port& p) { return p.messages.size(); }) == 1; }));
  b.Do([](Transport& t) { t.Send(core::LinkId{1}, core::Refuse{"R", "because"}), t.HangUp(core::LinkId{1}); });
  ASSERT_TRUE(Eventually([&] { return a.Look([](Port& p) { return p.closed; }) == 1; }));
  // What was sent before the hang-up arrived before the end.
  ASSERT_EQ(a.Look([](Port& p) { return p.messages.size(); }), 1u);
  EXPECT_EQ(a.Look([](Port& p) { return std::get<core::Refuse>(p.messages[0]).message; }), "because");
}

TEST(Transport, NobodyThereIsAFailedDial) {
  Port a;
  std::string address;
  {
    Port gone;
    address = gone.address();
  }
  a.Do([&](Transport& t) { t.Dial(address), t.Dial("nonsense"), t.Dial("127.0.0.1:0"); });
  EXPECT_TRUE(Eventually([&] { return a.Look([](Port& p) { return p.failed; }) == 3; }));
}

// A listener that is no node's: it says its word to whoever connects, and hangs up.
class Stranger {
 public:
  explicit Stranger(std::string word)
      : word_(std::move(word)), acceptor_(io_, {asio::ip::make_address("127.0.0.1"), 0}) {
    thread_ = std::thread([this] {
      asio::error_code error;
      asio::ip::tcp::socket socket(io_);
      acceptor_.accept(socket, error);
      if (!error) asio::write(socket, asio::buffer(word_), error);
    });
  }
  ~Stranger() { thread_.join(); }
  std::string address() const { return absl::StrCat("127.0.0.1:", acceptor_.local_endpoint().port()); }

 private:
  const std::string word_;
  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_;
  std::thread thread_;
};

TEST(Transport, WhatSpeaksAtAWrongPortIsNamed) {
  const std::string settings("\0\0\x12\x04\0\0\0\0\0\0\x03\x7f\xff\xff\xff", 15);
  for (const auto& [word, name] : {std::pair(settings, "HTTP/2, as a gRPC port does"),
                                   {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), "HTTP"},
                                   {std::string("SSH-2.0-OpenSSH_9.2p1\r\n"), "SSH"},
                                   {std::string("\x15\x03\x01\0\x02\x02\x16", 7), "TLS"}}) {
    Port a;
    Stranger stranger(word);
    a.Do([&](Transport& t) { t.Dial(stranger.address()); });
    ASSERT_TRUE(Eventually([&] { return a.Look([](Port& p) { return p.closed; }) == 1; }));
    EXPECT_THAT(a.Look([](Port& p) { return p.why; }), ::testing::HasSubstr(absl::StrCat("speaks ", name)));
  }
}

TEST(Transport, NamesThatStandForNothingSayWhy) {
  Port a;
  a.Do([](Transport& t) { t.Resolve("no-such-name.invalid:7401"), t.Resolve("nonsense"); });
  ASSERT_TRUE(Eventually([&] { return !a.Look([](Port& p) { return p.unresolved; }).empty(); }));
}

TEST(Transport, NamesStandForAllTheirAddresses) {
  Port a;
  a.Do([](Transport& t) { t.Resolve("localhost:7401"); });
  ASSERT_TRUE(Eventually([&] { return !a.Look([](Port& p) { return p.resolved; }).empty(); }));
  const auto resolved = a.Look([](Port& p) { return p.resolved; });
  EXPECT_NE(std::find(resolved.begin(), resolved.end(), "127.0.0.1:7401"), resolved.end());
}

TEST(Transport, JunkIsClosedAtOnce) {
  Port a;
  asio::io_context io;
  for (const std::string& junk : {std::string("\xff\xff\xff\xffxxxx"), std::string("\0\0\0\0", 4),
                                  std::string("GET / HTTP/1.1\r\n\r\n"), std::string("\0\0\0\x04junk", 8)}) {
    tcp::socket socket(io);
    socket.connect({asio::ip::address_v4::loopback(), a.port()});
    asio::write(socket, asio::buffer(junk));
    std::array<char, 16> byte;
    asio::error_code end;
    socket.read_some(asio::buffer(byte), end);  // returns when the other side closes
    EXPECT_TRUE(end) << junk;
  }
  EXPECT_TRUE(Eventually([&] { return a.Look([](Port& p) { return p.closed; }) == 4; }));
}

TEST(Transport, JunkOfOneThatGreetedIsToldToTheOwner) {
  Port a;
  asio::io_context io;
  for (const std::string& junk : {std::string("\0\0\0\x04junk", 8), std::string("\xff\xff\xff\xffxxxx")}) {
    a.Look([](Port& p) { return p.malformed = 0; });
    tcp::socket socket(io);
    socket.connect({asio::ip::address_v4::loopback(), a.port()});
    asio::write(socket,
                asio::buffer(wire::Encoder().Encode(SomeHello())[0] + junk + wire::Encoder().Encode(core::Ping{1})[0]));
    ASSERT_TRUE(Eventually([&] { return a.Look([](Port& p) { return p.malformed; }) == 1; }));
    EXPECT_FALSE(a.Look([](Port& p) { return p.why; }).empty());
    const core::LinkId link = a.Look([](Port& p) { return p.accepted; });
    a.Do([link](Transport& t) { t.Send(link, core::Refuse{"R", "because"}), t.HangUp(link); });
    std::string heard;
    asio::error_code end;
    while (!end) {  // until it is closed
      std::array<char, 256> piece;
      const size_t n = socket.read_some(asio::buffer(piece), end);
      heard.append(piece.data(), n);
    }
    EXPECT_NE(heard.find("because"), std::string::npos);
  }
  // Nothing was read after the junk.
  EXPECT_EQ(a.Look([](Port& p) { return p.messages.size(); }), 2u);
  EXPECT_EQ(a.Look([](Port& p) { return p.closed; }), 0);
}

TEST(Transport, APeerThatDoesNotReadIsNeverQueuedForWithoutBound) {
  Port a;
  a.Look([](Port& p) { return p.pulls_left = 100'000; });
  asio::io_context io;
  tcp::socket silent(io);
  silent.connect({asio::ip::address_v4::loopback(), a.port()});
  ASSERT_TRUE(Eventually([&] { return a.Look([](Port& p) { return p.accepted; }) != core::LinkId::kNone; }));
  a.Do([](Transport& t) { t.Pump(core::LinkId{1}); });
  // Pulling stops when the kernel's buffers and the queue are full: some megabytes of the 6 GB on offer.
  int before = -1;
  ASSERT_TRUE(Eventually([&] {
    const int now = a.Look([](Port& p) { return p.pulls_left; });
    return std::exchange(before, now) == now && now < 100'000;
  }));
  EXPECT_GT(before, 99'000);
  // Small messages that pile up close the link.
  a.Do([](Transport& t) {
    for (int i = 0; i < 400; ++i) t.Send(core::LinkId{1}, core::Refuse{"R", std::string(60'000, 'x')});
  });
  EXPECT_TRUE(Eventually([&] { return a.Look([](Port& p) { return p.closed; }) == 1; }));
  EXPECT_NE(a.Look([](Port& p) { return p.why; }).find("does not read"), std::string::npos);
}

TEST(HostPort, IsTakenApart) {
  EXPECT_EQ(ParseHostPort("h:1")->host, "h");
  EXPECT_EQ(ParseHostPort("[::1]:65535")->host, "::1");
  EXPECT_EQ(ParseHostPort(":7")->port, 7);
  for (const char* bad : {"", "h", "h:", "h:x", "h:65536", "::1:5", "h:-1", "h:1x"}) {
    EXPECT_FALSE(ParseHostPort(bad).has_value()) << bad;
  }
  EXPECT_EQ(ShowHostPort("::1", 5), "[::1]:5");
}

}  // namespace
}  // namespace leasemap::net

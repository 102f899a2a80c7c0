// TLS of the mesh: which ends come together, what each learns of the other, and what is refused before a byte is read.
#include "peer/net/security.h"

#include <string>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peer/tls/issue.h"
#include "tests/matchers/status.h"
#include "tests/net/port.h"
#include "tests/support/eventually.h"

namespace leasemap::net {
namespace {

using testing::Eventually;
using ::testing::HasSubstr;
using tls::Identity;

class SecurityTest : public ::testing::Test {
 protected:
  static tls::Issued NewAuthority() { return *tls::MakeAuthority("test", absl::Now(), absl::Hours(1)); }
  // Of a certificate that `by` signed, at a node that trusts `trusted`.
  std::shared_ptr<Security> Make(const Identity& identity, const tls::Issued& by, const std::string& trusted) {
    const auto issued = tls::Issue(by, {identity, {}}, absl::Now(), absl::Hours(1));
    EXPECT_THAT(issued, IsOk());
    auto security = Security::Make({issued->certificate, issued->key, trusted, identity, absl::Now()});
    EXPECT_THAT(security, IsOk());
    return *security;
  }
  std::shared_ptr<Security> Node(const std::string& id) {
    return Make({Identity::Kind::kNode, id}, authority_, authority_.certificate);
  }
  static void Secure(Port& port, const std::shared_ptr<Security>& security) {
    port.Do([security](Transport& t) { t.SetSecurity(security); });
  }
  // `from` dials `to` and sends it a Hello; what `to` then has of it.
  static std::optional<core::Hello> Greet(Port& from, Port& to) {
    from.Do([&](Transport& t) { t.Dial(to.address()); });
    if (!Eventually([&] { return from.Look([](Port& p) { return p.dialed; }) != core::LinkId::kNone; })) return {};
    from.Do([](Transport& t) { t.Send(core::LinkId{1}, SomeHello()); });
    if (!Eventually([&] { return to.Look([](Port& p) { return p.messages.size(); }) == 1; })) return {};
    return to.Look([](Port& p) { return std::get<core::Hello>(p.messages[0]); });
  }
  // TLS fails at that end, for a reason with these words.
  static void ExpectUnproven(Port& port, const std::string& words) {
    EXPECT_TRUE(Eventually([&] { return port.Look([](Port& p) { return p.unproven; }) > 0; }));
    EXPECT_THAT(port.Look([](Port& p) { return p.why; }), HasSubstr(words));
    EXPECT_EQ(port.Look([](Port& p) { return p.messages.size(); }), 0u);
  }

  const tls::Issued authority_ = NewAuthority();
};

TEST_F(SecurityTest, EachEndLearnsWhomTheOthersCertificateNames) {
  Port a, b;
  Secure(a, Node("a"));
  Secure(b, Node("b"));
  const auto hello = Greet(a, b);
  ASSERT_TRUE(hello && hello->certified);
  EXPECT_EQ(hello->certified->name, "a");
  EXPECT_TRUE(hello->certified->is_node);
  b.Do([](Transport& t) { t.Send(core::LinkId{1}, SomeHello()); });
  ASSERT_TRUE(Eventually([&] { return a.Look([](Port& p) { return p.messages.size(); }) == 1; }));
  EXPECT_EQ(a.Look([](Port& p) { return std::get<core::Hello>(p.messages[0]).certified->name; }), "b");
}

TEST_F(SecurityTest, PlainTextNamesNobody) {
  Port a, b;
  const auto hello = Greet(a, b);
  ASSERT_TRUE(hello);
  EXPECT_FALSE(hello->certified);
}

TEST_F(SecurityTest, AClientIsKnownAsOne) {
  Port a, b;
  Secure(a, Make({Identity::Kind::kClient, "alice"}, authority_, authority_.certificate));
  Secure(b, Node("b"));
  const auto hello = Greet(a, b);
  ASSERT_TRUE(hello && hello->certified);
  EXPECT_EQ(hello->certified->name, "alice");
  EXPECT_FALSE(hello->certified->is_node);
}

TEST_F(SecurityTest, AClientsCertificateIsNoServers) {
  Port a, b;
  Secure(a, Node("a"));
  Secure(b, Make({Identity::Kind::kClient, "alice"}, authority_, authority_.certificate));
  a.Do([&](Transport& t) { t.Dial(b.address()); });
  ExpectUnproven(a, "certificate verify failed");
}

TEST_F(SecurityTest, AnotherAuthorityIsRefusedByBoth) {
  const tls::Issued other = NewAuthority();
  Port a, b;
  Secure(a, Node("a"));
  Secure(b, Make({Identity::Kind::kNode, "b"}, other, other.certificate));
  a.Do([&](Transport& t) { t.Dial(b.address()); });
  ExpectUnproven(a, "certificate verify failed");
  ExpectUnproven(b, "unknown ca");
}

TEST_F(SecurityTest, AnAcceptorRefusesWhomItDoesNotTrust) {
  const tls::Issued other = NewAuthority();
  Port a, b;
  Secure(a, Make({Identity::Kind::kNode, "a"}, other, authority_.certificate));
  Secure(b, Node("b"));
  a.Do([&](Transport& t) { t.Dial(b.address()); });
  ExpectUnproven(b, "certificate verify failed");
  ExpectUnproven(a, "unknown ca");
}

TEST_F(SecurityTest, TheOldAndTheNewAuthorityCanBothBeTrusted) {
  const tls::Issued next = NewAuthority();
  const std::string both = authority_.certificate + next.certificate;
  Port a, b;
  Secure(a, Make({Identity::Kind::kNode, "a"}, authority_, both));
  Secure(b, Make({Identity::Kind::kNode, "b"}, next, both));
  const auto hello = Greet(a, b);
  ASSERT_TRUE(hello && hello->certified);
  EXPECT_EQ(hello->certified->name, "a");
}

TEST_F(SecurityTest, PlainTextAndTlsDoNotMeet) {
  Port plain, secure;
  Secure(secure, Node("b"));
  plain.Do([&](Transport& t) { t.Dial(secure.address()); });
  ASSERT_TRUE(Eventually([&] { return plain.Look([](Port& p) { return p.dialed; }) != core::LinkId::kNone; }));
  plain.Do([](Transport& t) { t.Send(core::LinkId{1}, SomeHello()); });
  ExpectUnproven(secure, "");
  EXPECT_TRUE(Eventually([&] { return plain.Look([](Port& p) { return p.closed; }) == 1; }));
}

// A cluster on its way from plain text to TLS.
class TransitionTest : public SecurityTest {
 protected:
  void SecureToo(Port& port, const std::string& id) {
    port.Do([security = Node(id)](Transport& t) { t.SetSecurity(security, true); });
  }
};

TEST_F(TransitionTest, TwoThatTakeBothSpeakTls) {
  Port a, b;
  SecureToo(a, "a");
  SecureToo(b, "b");
  const auto hello = Greet(a, b);
  ASSERT_TRUE(hello && hello->certified);
  EXPECT_EQ(hello->certified->name, "a");
}

TEST_F(TransitionTest, WhoSpeaksPlainTextAloneIsTaken) {
  Port plain, both;
  SecureToo(both, "b");
  const auto hello = Greet(plain, both);
  ASSERT_TRUE(hello);
  EXPECT_FALSE(hello->certified);
  both.Do([](Transport& t) { EXPECT_EQ(t.PlainNodes(), std::set<std::string>{"n"}); });
  plain.Do([](Transport& t) { t.HangUp(core::LinkId{1}); });
  EXPECT_TRUE(Eventually([&] { return both.Look([](Port& p) { return p.closed; }) == 1; }));
  both.Do([](Transport& t) { EXPECT_EQ(t.PlainNodes(), std::set<std::string>{}); });
}

// The node hears nothing of the first try, and what it sent before is not lost.
TEST_F(TransitionTest, WhoSpeaksPlainTextAloneIsDialledSoAtOnce) {
  Port plain, both;
  SecureToo(both, "b");
  const auto hello = Greet(both, plain);
  ASSERT_TRUE(hello);
  EXPECT_FALSE(hello->certified);
  EXPECT_EQ(both.Look([](Port& p) { return p.closed + p.unproven + p.failed; }), 0);
  EXPECT_EQ(plain.Look([](Port& p) { return p.closed; }), 1);  // the try with TLS
  plain.Do([](Transport& t) { t.Send(core::LinkId{2}, SomeHello()); });
  ASSERT_TRUE(Eventually([&] { return both.Look([](Port& p) { return p.messages.size(); }) == 1; }));
  both.Do([](Transport& t) { EXPECT_EQ(t.PlainNodes(), std::set<std::string>{"n"}); });
}

// It takes the connection, hangs up and is gone.
TEST_F(TransitionTest, WhoIsGoneWhenPlainTextIsTriedEndsTheLink) {
  asio::io_context io;
  asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  Port both;
  SecureToo(both, "b");
  both.Do([address = absl::StrCat("127.0.0.1:", acceptor.local_endpoint().port())](Transport& t) { t.Dial(address); });
  {
    const auto taken = acceptor.accept();
    acceptor.close();
  }
  EXPECT_TRUE(Eventually([&] { return both.Look([](Port& p) { return p.closed; }) == 1; }));
  EXPECT_THAT(both.Look([](Port& p) { return p.why; }), HasSubstr("Connection refused"));
}

TEST_F(TransitionTest, WhoSpeaksTlsAloneComesTogetherEitherWay) {
  Port secure, takes, dials;
  Secure(secure, Node("a"));
  SecureToo(takes, "b");
  const auto in = Greet(secure, takes);
  ASSERT_TRUE(in && in->certified);
  EXPECT_EQ(in->certified->name, "a");
  SecureToo(dials, "c");
  const auto out = Greet(dials, secure);
  ASSERT_TRUE(out && out->certified);
  EXPECT_EQ(out->certified->name, "c");
}

// The member was restarted and takes both now.
TEST_F(TransitionTest, PlainTextIsNotRemembered) {
  Port both, changed;
  SecureToo(both, "b");
  const auto plain = Greet(both, changed);
  ASSERT_TRUE(plain && !plain->certified);
  changed.Do([](Transport& t) { t.HangUp(core::LinkId{2}); });
  ASSERT_TRUE(Eventually([&] { return both.Look([](Port& p) { return p.closed; }) == 1; }));
  SecureToo(changed, "a");
  both.Do([&](Transport& t) { t.Dial(changed.address()); });
  ASSERT_TRUE(Eventually([&] { return both.Look([](Port& p) { return p.dialed; }) == core::LinkId{2}; }));
  both.Do([](Transport& t) { t.Send(core::LinkId{2}, SomeHello()); });
  ASSERT_TRUE(Eventually([&] { return changed.Look([](Port& p) { return p.messages.size(); }) == 2; }));
  EXPECT_EQ(changed.Look([](Port& p) { return std::get<core::Hello>(p.messages[1]).certified->name; }), "b");
}

// Neither end's: with TLS 1.3 the one that dialled is done before the other one has looked.
TEST_F(TransitionTest, ACertificateThatIsRefusedByTheOtherEndIsNoPlainText) {
  const tls::Issued other = NewAuthority();
  Port a, b;
  const auto stranger = Make({Identity::Kind::kNode, "a"}, other, authority_.certificate);
  a.Do([stranger](Transport& t) { t.SetSecurity(stranger, true); });
  SecureToo(b, "b");
  a.Do([&](Transport& t) { t.Dial(b.address()); });
  ExpectUnproven(b, "certificate verify failed");
  ExpectUnproven(a, "unknown ca");
}

TEST_F(TransitionTest, ABadCertificateIsNoPlainText) {
  const tls::Issued other = NewAuthority();
  Port a, b;
  SecureToo(a, "a");
  Secure(b, Make({Identity::Kind::kNode, "b"}, other, other.certificate));
  a.Do([&](Transport& t) { t.Dial(b.address()); });
  ExpectUnproven(a, "certificate verify failed");
}

// Megabytes each way, with pieces and pulls.
TEST_F(SecurityTest, BulkComesThrough) {
  Port a, b;
  Secure(a, Node("a"));
  Secure(b, Node("b"));
  ASSERT_TRUE(Greet(a, b));
  a.Look([](Port& p) { return p.pulls_left = 200; });
  a.Do([](Transport& t) { t.Pump(core::LinkId{1}); });
  EXPECT_TRUE(Eventually([&] { return b.Look([](Port& p) { return p.messages.size(); }) == 201; }));
}

}  // namespace
}  // namespace leasemap::net

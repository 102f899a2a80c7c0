// The file of rights: what is read of it, and what is refused with which words.
#include "server/rights/rights.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peer/tls/token.h"
#include "tests/matchers/status.h"

namespace leasemap::rights {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

RightsPtr Read(const std::string& text) {
  auto rights = Rights::Parse(text);
  EXPECT_THAT(rights.status(), IsOk());
  return rights.ok() ? *rights : std::make_shared<Rights>();
}

std::string Refused(const std::string& text) { return std::string(Rights::Parse(text).status().message()); }

std::string WithToken(const std::string& name, const std::string& token) {
  return absl::StrCat("principal { name: \"", name, "\" token_sha256: \"", tls::HashOfToken(token), "\" }\n");
}

TEST(RightsTest, APrincipalIsFoundByItsTokensAndCertificates) {
  const auto rights =
      Read(absl::StrCat("# two of alice's tokens are good while one replaces the other\n",
                        "principal { name: \"alice\" token_sha256: \"", tls::HashOfToken("one"), "\" token_sha256: \"",
                        tls::HashOfToken("two"), "\" certificate: \"alice@laptop\" }\n", WithToken("bob", "three")));
  ASSERT_EQ(rights->size(), 2u);
  EXPECT_EQ(rights->OfToken("one")->name, "alice");
  EXPECT_EQ(rights->OfToken("two")->name, "alice");
  EXPECT_EQ(rights->OfToken("three")->name, "bob");
  EXPECT_EQ(rights->OfToken("four"), nullptr);
  EXPECT_EQ(rights->OfToken(""), nullptr);
  EXPECT_EQ(rights->OfTokenHash(tls::HashOfToken("one"))->name, "alice");
  EXPECT_EQ(rights->OfCertificate("alice@laptop")->name, "alice");
  EXPECT_EQ(rights->OfCertificate("alice"), nullptr);
}

TEST(RightsTest, GrantsAreOfAPrefix) {
  const auto rights = Read(R"(
    principal {
      name: "alice"
      certificate: "alice"
      grant { prefix: "config/" right: [READ, WRITE] }
      grant { prefix_bytes: "\xff\x00" right: READ }
      grant { prefix: "" right: ADMIN }
      lease_as: "job-7"
    })");
  const auto alice = rights->OfCertificate("alice");
  ASSERT_NE(alice, nullptr);
  EXPECT_THAT(alice->read, ElementsAre("config/", std::string("\xff\0", 2)));
  EXPECT_THAT(alice->write, ElementsAre("config/"));
  EXPECT_TRUE(alice->admin);
  EXPECT_THAT(alice->lease_as, ElementsAre("job-7"));
}

TEST(RightsTest, TheHashIsOfTheContent) {
  const std::string text = WithToken("alice", "one");
  const uint64_t hash = Read(text)->hash();
  EXPECT_NE(hash, 0u);
  EXPECT_EQ(Read("# a comment\n\n" + text)->hash(), hash);
  EXPECT_NE(Read(WithToken("alice", "two"))->hash(), hash);
}

TEST(RightsTest, AMistakeIsNamedWithItsPlace) {
  EXPECT_THAT(Refused("principal {\n  nmae: \"alice\"\n}"), HasSubstr("line 2, column 7"));
  EXPECT_THAT(Refused("principal {\n  nmae: \"alice\"\n}"), HasSubstr("nmae"));
  EXPECT_THAT(Refused("principal { name: \"alice\""), HasSubstr("line 1"));
  EXPECT_THAT(Refused("principal { name: \"a\" grant { prefix: \"\" right: OWN } }"), HasSubstr("OWN"));
}

TEST(RightsTest, WhatCouldNotBeMeantIsRefused) {
  const auto one = [](const std::string& rest) { return "principal { name: \"alice\" " + rest + " }"; };
  EXPECT_THAT(Refused(""), HasSubstr("names no principal"));
  EXPECT_THAT(Refused("principal { }"), HasSubstr("has no name"));
  EXPECT_THAT(Refused("principal { name: \"a/b\" }"), HasSubstr("no \"/\""));
  EXPECT_THAT(Refused("principal { name: \"*\" }"), HasSubstr("no \"/\", and is not \"*\""));
  EXPECT_THAT(Refused("principal { name: \"a\\nb\" }"), HasSubstr("printable UTF-8"));
  EXPECT_THAT(Refused("principal { name: \"" + std::string(129, 'a') + "\" }"), HasSubstr("1 to 128 bytes"));
  EXPECT_THAT(Refused(one("") + one("")), HasSubstr("principal alice: is there twice"));
  EXPECT_THAT(Refused(one("token_sha256: \"5F\"")), HasSubstr("64 lower-case hex digits"));
  EXPECT_THAT(Refused(WithToken("alice", "one") + WithToken("bob", "one")), HasSubstr("bob: a token is there twice"));
  EXPECT_THAT(Refused(one("certificate: \"c\"") + "principal { name: \"bob\" certificate: \"c\" }"),
              HasSubstr("bob: certificate c is there twice"));
  EXPECT_THAT(Refused(one("certificate: \"\"")), HasSubstr("certificate is not a client's name"));
  EXPECT_THAT(Refused(one("grant { prefix: \"a\" }")), HasSubstr("has no right"));
  EXPECT_THAT(Refused(one("grant { right: READ }")), HasSubstr("has no prefix; prefix: \"\" is every key"));
  EXPECT_THAT(Refused(one("grant { prefix: \"a\" right: ADMIN }")), HasSubstr("ADMIN is of the whole map"));
  EXPECT_THAT(Refused(one("grant { prefix: \"a\" right: RIGHT_UNSPECIFIED }")), HasSubstr("none of READ"));
  EXPECT_THAT(Refused(one("grant { prefix: \"" + std::string(4097, 'k') + "\" right: READ }")),
              HasSubstr("longer than any key"));
  EXPECT_THAT(Refused(one("lease_as: \"\"")), HasSubstr("lease_as is not 1 to 255 bytes"));
}

}  // namespace
}  // namespace leasemap::rights

// What the rights of a principal allow, and what they do not.
#include "server/rights/principal.h"

#include "gtest/gtest.h"

namespace leasemap::rights {
namespace {

Principal Reader(std::vector<std::string> prefixes) {
  Principal out;
  out.name = "alice";
  out.read = std::move(prefixes);
  return out;
}

TEST(PrincipalTest, AKeyIsAllowedByAPrefixOfIt) {
  const Principal alice = Reader({"config/", "x"});
  EXPECT_TRUE(alice.MayRead("config/"));
  EXPECT_TRUE(alice.MayRead("config/a"));
  EXPECT_TRUE(alice.MayRead("xyz"));
  EXPECT_FALSE(alice.MayRead("config"));
  EXPECT_FALSE(alice.MayRead("Config/a"));
  EXPECT_FALSE(alice.MayRead(""));
  EXPECT_FALSE(alice.MayWrite("config/a"));
  EXPECT_FALSE(Reader({}).MayRead("a"));
  EXPECT_TRUE(Reader({""}).MayRead("\xff"));
}

TEST(PrincipalTest, APrefixIsAllowedIfAllItsKeysAre) {
  const Principal alice = Reader({"config/"});
  EXPECT_TRUE(alice.MayReadPrefix("config/"));
  EXPECT_TRUE(alice.MayReadPrefix("config/a"));
  EXPECT_FALSE(alice.MayReadPrefix("config"));
  EXPECT_FALSE(alice.MayReadPrefix(""));
  EXPECT_TRUE(Reader({""}).MayReadPrefix(""));
}

TEST(PrincipalTest, ARangeIsAllowedIfAllItsKeysAre) {
  const Principal alice = Reader({"b"});
  EXPECT_TRUE(alice.MayReadRange("b", "c"));
  EXPECT_TRUE(alice.MayReadRange("b1", "b2"));
  EXPECT_FALSE(alice.MayReadRange("b", "c0"));
  EXPECT_FALSE(alice.MayReadRange("a", "b"));
  EXPECT_FALSE(alice.MayReadRange("b", ""));
  EXPECT_FALSE(alice.MayReadRange("", "c"));
  EXPECT_TRUE(Reader({""}).MayReadRange("", ""));
  // No key is above all that begin with these bytes.
  EXPECT_TRUE(Reader({"\xff"}).MayReadRange("\xff", ""));
  EXPECT_FALSE(Reader({"\xff"}).MayReadRange("\xfe", ""));
  // The byte after 'a' + 0xff is that after 'a'.
  EXPECT_TRUE(Reader({"a\xff"}).MayReadRange("a\xff", "b"));
}

TEST(PrincipalTest, ItMayUseItsOwnNameAndNamesBelowIt) {
  Principal alice = Reader({});
  EXPECT_TRUE(alice.MayHold("alice"));
  EXPECT_TRUE(alice.MayHold("alice/host-12-ab"));
  EXPECT_FALSE(alice.MayHold("alicex"));
  EXPECT_FALSE(alice.MayHold("bob"));
  EXPECT_FALSE(alice.MayHold(""));
  alice.lease_as = {"job-7"};
  EXPECT_TRUE(alice.MayHold("job-7"));
  EXPECT_TRUE(alice.MayHold("job-7/1"));
  EXPECT_FALSE(alice.MayHold("job-77"));
  alice.lease_as = {"*"};
  EXPECT_TRUE(alice.MayHold("anybody"));
}

}  // namespace
}  // namespace leasemap::rights

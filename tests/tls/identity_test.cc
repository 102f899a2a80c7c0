// The URI of an identity: each has one, and nothing else is read.
#include "peer/tls/identity.h"

#include "gtest/gtest.h"

namespace leasemap::tls {
namespace {

Identity Node(const std::string& name) { return {Identity::Kind::kNode, name}; }
Identity Client(const std::string& name) { return {Identity::Kind::kClient, name}; }

TEST(IdentityTest, AUriNamesKindAndName) {
  EXPECT_EQ(UriOf(Node("n1")), "leasemap://node/n1");
  EXPECT_EQ(UriOf(Client("alice")), "leasemap://client/alice");
  EXPECT_EQ(UriOf(Node("a b/ü%")), "leasemap://node/a%20b%2F%C3%BC%25");
}

TEST(IdentityTest, WhatWasWrittenIsRead) {
  const std::string longest(255, 'x');
  for (const std::string& name : {std::string("n1"), std::string("a b/c"), std::string("ü"), std::string("100%"),
                                  std::string("~-._"), longest, std::string("\x01\xff")}) {
    EXPECT_EQ(ParseUri(UriOf(Node(name))), Node(name));
    EXPECT_EQ(ParseUri(UriOf(Client(name))), Client(name));
  }
}

TEST(IdentityTest, NothingElseIsRead) {
  const std::string long_name(256, 'x');
  for (const std::string uri :
       {"", "n1", "leasemap://", "leasemap://node", "leasemap://node/", "leasemap://other/n1", "LEASEMAP://node/n1",
        "leasemap://node/a/b", "leasemap://node/a b", "leasemap://node/%", "leasemap://node/%4", "leasemap://node/%zz",
        "leasemap://node/%c3", "leasemap://node/%61", "https://node/n1"}) {
    EXPECT_EQ(ParseUri(uri), std::nullopt) << uri;
  }
  EXPECT_EQ(ParseUri("leasemap://node/" + long_name), std::nullopt);
}

}  // namespace
}  // namespace leasemap::tls

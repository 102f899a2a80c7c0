// Tokens: their form, that no two are alike, and their hash against the one of FIPS 180-4's example.
#include "peer/tls/token.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace leasemap::tls {
namespace {

TEST(TokenTest, ATokenHas256RandomBits) {
  const auto one = NewToken(), other = NewToken();
  ASSERT_TRUE(one && other);
  EXPECT_THAT(*one, testing::MatchesRegex("lm_[A-Za-z0-9_-]{43}"));
  EXPECT_NE(*one, *other);
}

// The example of "abc" (NIST, "SHA256.pdf" of the example values for FIPS 180-4).
TEST(TokenTest, TheHashIsSha256) {
  EXPECT_EQ(HashOfToken("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace leasemap::tls

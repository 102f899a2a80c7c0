// An invariant that does not hold ends the program, and says which and with which values.
#include "peer/core/data/check.h"

#include "gtest/gtest.h"
#include "peer/core/sync/own_log.h"

namespace leasemap::core {
namespace {

TEST(CheckDeathTest, SaysTheConditionThePlaceAndTheValues) {
  const int held = 3;
  LEASEMAP_CHECK(held == 3, "held ", held);
  EXPECT_DEATH(LEASEMAP_CHECK(held < 3, "held ", held, " of ", 2),
               "check_test.cc:[0-9]+: an invariant does not hold: held < 3 held 3 of 2");
  EXPECT_DEATH(LEASEMAP_CHECK(held == 0), "an invariant does not hold: held == 0");
}

TEST(CheckDeathTest, TheOwnLogGivesNothingThatItDoesNotHave) {
  const OwnLog log;
  EXPECT_DEATH(log.at(1), "1 of 1 to 1");
  EXPECT_DEATH(log.at(0), "0 of 1 to 1");
}

}  // namespace
}  // namespace leasemap::core

// What a JSON string may hold as it is, and what is escaped.
#include "text/json.h"

#include "gtest/gtest.h"

namespace leasemap::text {
namespace {

TEST(JsonTest, WhatCanBeShownStays) {
  EXPECT_EQ(JsonEscaped(""), "");
  EXPECT_EQ(JsonEscaped("key/1 \xc3\xa4\xe2\x82\xac \xf0\x9f\x98\x80"), "key/1 \xc3\xa4\xe2\x82\xac \xf0\x9f\x98\x80");
}

TEST(JsonTest, TheRestIsEscaped) {
  EXPECT_EQ(JsonEscaped("a\"b\\c"), R"(a\"b\\c)");
  EXPECT_EQ(JsonEscaped("a\nb"), R"(a\nb)");
  EXPECT_EQ(JsonEscaped(std::string_view("\0\x1f\x7f", 3)), R"(\u0000\u001f\u007f)");
  EXPECT_EQ(JsonEscaped("\xe2\x80\xae"), R"(\u202e)");  // turns the direction of text
  EXPECT_EQ(JsonEscaped("a\xff\xc3z"), R"(a\ufffd\ufffdz)");
}

}  // namespace
}  // namespace leasemap::text

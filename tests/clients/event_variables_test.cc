// A command learns of an event by variables, as far as a variable can hold it.
#include "clients/cli/core/event_variables.h"

#include <gtest/gtest.h>

#include <map>

namespace leasemap::cli {
namespace {

std::map<std::string, std::optional<std::string>> Of(const v1::Event& event, const std::string& cursor = "") {
  std::map<std::string, std::optional<std::string>> found;
  for (const auto& [name, text] : VariablesOf(event, cursor)) found[name.substr(15)] = text;
  return found;
}

v1::Event Made() {
  v1::Event event;
  event.set_kind(v1::Event::KIND_SET);
  event.mutable_entry()->set_key("k");
  return event;
}

TEST(VariablesOf, HasWhatTheEventHas) {
  v1::Event event = Made();
  event.mutable_entry()->set_value("");
  event.mutable_entry()->set_version("v1");
  event.mutable_entry()->mutable_lease()->set_holder("me");
  event.mutable_entry()->mutable_lease()->set_fencing_token("t");
  auto variables = Of(event, "c1");
  EXPECT_EQ(variables["KIND"], "SET");
  EXPECT_EQ(variables["KEY"], "k");
  EXPECT_EQ(variables["VALUE"], "");
  EXPECT_EQ(variables["VERSION"], "v1");
  EXPECT_EQ(variables["HOLDER"], "me");
  EXPECT_EQ(variables["FENCING_TOKEN"], "t");
  EXPECT_EQ(variables["CURSOR"], "c1");
}

TEST(VariablesOf, LeavesOutWhatIsNotThere) {
  auto variables = Of(Made());
  for (const char* name : {"VALUE", "VERSION", "HOLDER", "FENCING_TOKEN", "CURSOR"}) {
    ASSERT_TRUE(variables.count(name)) << name;  // named, so that an outer one is taken away
    EXPECT_FALSE(variables[name]) << name;
  }
}

TEST(VariablesOf, LeavesOutWhatNoVariableHolds) {
  v1::Event event = Made();
  event.mutable_entry()->set_value(std::string(kLongestVariable, 'x'));
  EXPECT_TRUE(Of(event)["VALUE"]);
  event.mutable_entry()->set_value(std::string(kLongestVariable + 1, 'x'));
  EXPECT_FALSE(Of(event)["VALUE"]);
  event.mutable_entry()->set_value_bytes(std::string("a\0b", 3));
  EXPECT_FALSE(Of(event)["VALUE"]);
  event.mutable_entry()->set_key_bytes(std::string("a\0b", 3));
  EXPECT_EQ(Of(event)["KEY"], "a\\x00b");
}

}  // namespace
}  // namespace leasemap::cli

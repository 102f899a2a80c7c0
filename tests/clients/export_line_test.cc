// An entry goes through export and import with all that a Set can carry, whatever its bytes are.
#include "clients/cli/core/export_line.h"

#include <gtest/gtest.h>

#include <random>

#include "clients/cli/core/json_line.h"
#include "clients/cli/core/request.h"
#include "tests/matchers/status.h"

namespace leasemap::cli {
namespace {

using namespace std::string_literals;

absl::Time At(double second) { return absl::UnixEpoch() + absl::Seconds(second); }

v1::Entry Make(const std::string& key, const std::string& value, int lease_s) {
  v1::Entry entry;
  PutKey(key, entry);
  PutValue(value, entry);
  entry.mutable_lease()->set_holder("me");
  entry.mutable_lease()->mutable_expire_time()->set_seconds(1000 + lease_s);
  entry.mutable_update_time()->set_seconds(1000);
  entry.set_version("v1");
  return entry;
}

TEST(ExportLine, HasItsFieldsInOrder) {
  EXPECT_EQ(ExportLine(Make("k", "a\nb", 90)),
            R"({"key":"k","value":"a\nb","holder":"me","lease":"1m30s","expire_time":"1970-01-01T00:18:10.000Z",)"
            R"("version":"v1","update_time":"1970-01-01T00:16:40.000Z"})");
  EXPECT_EQ(ExportLine(Make("\xff", "\x00\xfe"s, 0)),
            R"({"key_bytes":"/w==","value_bytes":"AP4=","holder":"me","lease":"0",)"
            R"("version":"v1","update_time":"1970-01-01T00:16:40.000Z"})");
}

TEST(ParseExportLine, UndoesExportForAnyBytes) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::string key(1 + random() % 20, 'k'), value(random() % 50, 'v');
    for (std::string* bytes : {&key, &value}) {
      for (char& c : *bytes) c = static_cast<char>(random() % 3 == 0 ? random() : 0x20 + random() % 96);
    }
    v1::Entry entry = Make(key, value, 60);
    // A value may be UTF-8 and still have been set as bytes: that is kept, too.
    if (round % 5 == 0) entry.set_value_bytes(value);
    const auto request = ParseExportLine(ExportLine(entry), {}, At(1000));
    ASSERT_THAT(request, IsOk());
    EXPECT_EQ(KeyOf(*request), key);
    EXPECT_EQ(request->has_value_bytes(), entry.has_value_bytes());
    EXPECT_EQ(request->has_value_bytes() ? request->value_bytes() : request->value(), value);
    EXPECT_EQ(request->holder(), "me");
  }
}

TEST(ParseExportLine, AnEphemeralKeyStaysOne) {
  v1::Entry entry = Make("k", "v", 60);
  EXPECT_EQ(ParseExportLine(ExportLine(entry), {}, At(1000))->on_lapse(), v1::ON_LAPSE_UNSPECIFIED);
  entry.set_ephemeral(true);
  EXPECT_EQ(ParseExportLine(ExportLine(entry), {}, At(1000))->on_lapse(), v1::ON_LAPSE_DELETE);
  EXPECT_FALSE(ParseExportLine(ExportLine(entry), {}, At(9000)).ok());  // it would have vanished
  ImportRules longer;
  longer.lease = absl::Seconds(30);
  EXPECT_THAT(ParseExportLine(ExportLine(entry), longer, At(9000)), IsOk());
}

TEST(ParseExportLine, EndsTheLeaseWhenItEnded) {
  const std::string line = ExportLine(Make("k", "v", 60));
  EXPECT_EQ(ParseExportLine(line, {}, At(1000))->lease_duration().seconds(), 60);
  EXPECT_EQ(ParseExportLine(line, {}, At(1045))->lease_duration().seconds(), 15);
  for (const double second : {1058.5, 1060.0, 9000.0}) {
    const auto late = ParseExportLine(line, {}, At(second));
    EXPECT_TRUE(late->has_lease_duration());
    EXPECT_EQ(late->lease_duration().seconds(), 0) << second;
    EXPECT_EQ(late->lease_duration().nanos(), 0) << second;
  }
  const auto none = ParseExportLine(ExportLine(Make("k", "v", 0)), {}, At(1000));
  EXPECT_TRUE(none->has_lease_duration());
  EXPECT_EQ(none->lease_duration().seconds(), 0);
}

TEST(ParseExportLine, TakesLinesWrittenByHand) {
  EXPECT_FALSE(ParseExportLine(R"({"key":"k","value":"v"})", {}, At(0))->has_lease_duration()) << "as the cluster says";
  EXPECT_EQ(ParseExportLine(R"({"key":"k","value":"v","lease":"30s"})", {}, At(0))->lease_duration().seconds(), 30);
}

TEST(ParseExportLine, FollowsTheCommandLine) {
  const std::string line = ExportLine(Make("k", "v", 60)), bare = R"({"key":"k","value":"v"})";
  ImportRules rules;
  rules.otherwise = "default";
  EXPECT_EQ(ParseExportLine(line, rules, At(1000))->holder(), "me");
  EXPECT_EQ(ParseExportLine(bare, rules, At(1000))->holder(), "default");
  rules.holder = "you";
  rules.lease = absl::Seconds(5);
  rules.if_absent = true;
  const auto request = ParseExportLine(line, rules, At(1000));
  EXPECT_EQ(request->holder(), "you");
  EXPECT_EQ(request->lease_duration().seconds(), 5);
  EXPECT_TRUE(request->if_absent());
}

TEST(ParseExportLine, SaysWhatIsWrong) {
  for (const char* line : {"k\tv", "{}", R"({"key":"k"})", R"({"key":"k","value":"v","holdr":"me"})",
                           R"({"key":"k","value":"v","expire_time":"soon"})", R"({"key":"k","value":"v","lease":"5"})",
                           R"({"key":"k","value":"v","lease":{"holder":"me"}})", R"({"key":"k","value_bytes":"%"})"}) {
    EXPECT_EQ(ParseExportLine(line, {}, At(0)).status().code(), absl::StatusCode::kInvalidArgument) << line;
  }
}

}  // namespace
}  // namespace leasemap::cli

// Flags, variables and the configuration file: which one counts, and what is refused with which words.
#include "server/options.h"

#include "gtest/gtest.h"

namespace leasemap {
namespace {

absl::StatusOr<Options> Make(const Settings& flags, const Settings& environment = {}, const Settings& config = {}) {
  return MakeOptions(flags, environment, config, "the-host");
}

TEST(Options, Defaults) {
  const auto options = Make({});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->node.node_id, "the-host");
  EXPECT_EQ(options->node.cluster, "leasemap");
  EXPECT_EQ(options->listen, "127.0.0.1:7400");
  EXPECT_EQ(options->mesh_listen, "127.0.0.1:7401");
  EXPECT_TRUE(options->node.rules.leasing);
  EXPECT_EQ(options->node.rules.period_ms, 3'600'000);
  EXPECT_EQ(options->node.rules.clock_bound_ms, 500);
  EXPECT_TRUE(options->node.seeds.empty());
}

TEST(Options, FlagsThenVariablesThenTheFile) {
  const Settings file = {{"node-id", "file"}, {"cluster", "file"}, {"lease-duration", "30s"}};
  const Settings environment = {{"node-id", "env"}, {"cluster", "env"}};
  const auto options = Make({{"node-id", "flag"}, {"cluster", ""}}, environment, file);
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->node.node_id, "flag");
  EXPECT_EQ(options->node.cluster, "env");  // an empty flag is unset
  EXPECT_EQ(options->node.rules.period_ms, 30'000);
}

TEST(Options, EnvironmentNamesHaveUnderscores) {
  const auto environment = FromEnvironment(
      [](const char* name) -> const char* { return std::string(name) == "LEASEMAP_NODE_ID" ? "env" : nullptr; });
  EXPECT_EQ(environment, (Settings{{"node-id", "env"}}));
}

TEST(Options, WrongValuesNameTheirFlag) {
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"listen", "nonsense"},
                                                        {"listen", "0.0.0.0:7400"},
                                                        {"mesh-listen", "10.0.0.1:1"},
                                                        {"seeds", "a:1,b"},
                                                        {"seeds", "a:0"},
                                                        {"leasing", "maybe"},
                                                        {"lease-duration", "1"},
                                                        {"lease-duration", "1s"},
                                                        {"lease-duration", "-5s"},
                                                        {"max-clock-skew", "0"},
                                                        {"node-id", "a\nb"},
                                                        {"node-id", std::string(256, 'x')},
                                                        {"data-dir", "/var/x"},
                                                        {"fsync", "never"},
                                                        {"forget-after", "1s"},
                                                        {"tls-cert", "x"},
                                                        {"cluster", std::string(300, 'c')}}) {
    const auto options = Make({{name, value}});
    ASSERT_FALSE(options.ok()) << name << "=" << value;
    EXPECT_NE(std::string(options.status().message()).find("--" + name), std::string::npos) << options.status();
  }
}

TEST(Options, BeyondLoopbackNeedsInsecure) {
  EXPECT_TRUE(Make({{"listen", "0.0.0.0:7400"}, {"insecure", "true"}}).ok());
  EXPECT_TRUE(Make({{"listen", "[::1]:7400"}}).ok());
  EXPECT_TRUE(Make({{"advertise", "10.1.2.3:7401"}}).ok());
}

TEST(Options, SeedsAreSplitAndKeptOnce) {
  const auto options = Make({{"seeds", " a:1, b:2 ,,a:1"}});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->node.seeds, (std::vector<std::string>{"a:1", "b:2"}));
}

TEST(Options, ConfigFile) {
  const auto good = ParseConfig("# comment\n\n node-id = n1 \n--cluster=c\n");
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, (Settings{{"node-id", "n1"}, {"cluster", "c"}}));
  EXPECT_FALSE(ParseConfig("node-id n1").ok());
  EXPECT_FALSE(ParseConfig("no-such-flag = 1").ok());
}

}  // namespace
}  // namespace leasemap

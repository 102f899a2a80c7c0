// Flags, variables and the configuration file: which one counts, and what is refused with which words.
#include "server/options.h"

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "server/environment.h"

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
                                                        {"log-level", "loud"},
                                                        {"max-bytes", "1KiB"},
                                                        {"max-bytes", "1GB"},
                                                        {"max-bytes", "99999999TiB"},
                                                        {"max-watches", "0"},
                                                        {"max-connections", "many"},
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

TEST(Options, BytesHaveUnits) {
  EXPECT_EQ(Make({})->max_bytes, 0u);
  EXPECT_EQ(Make({{"max-bytes", "512MiB"}})->max_bytes, uint64_t{512} << 20);
  EXPECT_EQ(Make({{"max-bytes", "4gib"}})->max_bytes, uint64_t{4} << 30);
  EXPECT_EQ(Make({{"max-bytes", "20000000"}})->max_bytes, 20'000'000u);
}

TEST(Options, AChangedFileTellsWhatTakesARestart) {
  const Settings before = {{"cluster", "a"}, {"seeds", "a:1"}, {"forget-after", "72h"}};
  const Settings after = {{"cluster", "b"}, {"seeds", "b:1"}, {"log-level", "debug"}, {"lease-duration", "30s"}};
  EXPECT_EQ(WaitForRestart({}, {}, before, after), (std::vector<std::string>{"cluster", "lease-duration"}));
  EXPECT_EQ(WaitForRestart({{"cluster", "c"}}, {{"lease-duration", "1m"}}, before, after), std::vector<std::string>{});
}

TEST(Environment, AMisspeltVariableIsNamedWithTheOneMeant) {
  const auto warned = UnknownVariables({"LEASEMAP_SEED=a:1", "LEASEMAP_LEASE_DURATON=30m", "PATH=/bin",
                                        "LEASEMAP_NODE_DI=n1", "LEASEMAP_CONFG=/f", "LEASEMAP_WALRUS=1"});
  const std::string all = absl::StrJoin(warned, "\n");
  ASSERT_EQ(warned.size(), 5u) << all;
  for (const char* pair : {"LEASEMAP_SEED is none that leasemapd knows, and is ignored; is LEASEMAP_SEEDS meant",
                           "LEASEMAP_LEASE_DURATON is none that leasemapd knows, and is ignored; is "
                           "LEASEMAP_LEASE_DURATION meant",
                           "is LEASEMAP_NODE_ID meant", "is LEASEMAP_CONFIG meant",
                           "LEASEMAP_WALRUS is none that leasemapd knows, and is ignored; leasemapd --help"}) {
    EXPECT_NE(all.find(pair), std::string::npos) << pair << " is missing in\n" << all;
  }
}

TEST(Environment, NoWarningOfWhatIsKnownOrOfOthers) {
  EXPECT_EQ(UnknownVariables({"LEASEMAP_SEEDS=a:1", "LEASEMAP_CONFIG=/f", "LEASEMAP_SERVER=h:1", "LEASEMAP_HOLDER=me",
                              "LEASEMAP_SEED=", "LEASEMAP_PORT=tcp://10.0.0.1:7400", "LEASEMAP_SERVICE_HOST=10.0.0.1",
                              "LEASEMAP_SERVICE_PORT=7400", "LEASEMAP_SERVICE_PORT_GRPC=7400",
                              "LEASEMAP_PORT_7400_TCP=tcp://10.0.0.1:7400", "LEASEMAP_PORT_7400_TCP_ADDR=10.0.0.1",
                              "LEASEMAP_MESH_SERVICE_HOST=10.0.0.2", "LEASEMAP_MESH_PORT=tcp://10.0.0.2:7401",
                              "LEASEMAP_MESH_PORT_7401_TCP_PROTO=tcp"}),
            std::vector<std::string>{});
  // A port without a scheme is none of Kubernetes'.
  EXPECT_EQ(UnknownVariables({"LEASEMAP_MESH_PORT=7401"}).size(), 1u);
}

}  // namespace
}  // namespace leasemap

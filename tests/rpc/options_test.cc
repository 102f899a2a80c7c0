// Flags, variables and the configuration file: which one counts, and what is refused with which words. And how a line
// of the log looks as JSON.
#include "server/options.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/environment.h"
#include "server/log.h"
#include "spdlog/details/log_msg.h"
#include "tests/matchers/status.h"

namespace leasemap {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

// A variable of this process, until the end of a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }

 private:
  const char* name_;
};

absl::StatusOr<Reading> Read(const std::vector<std::string>& arguments) {
  return ReadOptions(arguments, "the-host", "1.2.3");
}

absl::StatusOr<Options> Make(const Settings& flags) {
  std::vector<std::string> arguments;
  for (const auto& [name, value] : flags) arguments.push_back("--" + name + "=" + value);
  auto reading = Read(arguments);
  if (!reading.ok()) return reading.status();
  return reading->options;
}

std::string ConfigFile(const std::string& text) {
  const std::string path = testing::TempDir() + "options_test." + std::to_string(getpid()) + ".conf";
  std::ofstream(path) << text;
  return path;
}

absl::StatusOr<Reading> ReadFile(const std::string& text) { return Read({"--config", ConfigFile(text)}); }

std::string ErrorOf(const absl::StatusOr<Reading>& reading) {
  return reading.ok() ? "no error" : std::string(reading.status().message());
}

TEST(Options, Defaults) {
  const auto options = Make({});
  ASSERT_THAT(options, IsOk());
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
  const std::string file = ConfigFile("node-id = file\ncluster = file\nlease-duration = 30s\n");
  const Variable node_id("LEASEMAP_NODE_ID", "env"), cluster("LEASEMAP_CLUSTER", "env"), none("LEASEMAP_SEEDS", "");
  const auto reading = Read({"--node-id", "flag", "--cluster=first", "--cluster=", "--config=" + file});
  ASSERT_THAT(reading, IsOk());
  EXPECT_EQ(reading->options.node.node_id, "flag");
  EXPECT_EQ(reading->options.node.cluster, "env");  // the last counts, and an empty flag is unset
  EXPECT_EQ(reading->options.node.rules.period_ms, 30'000);
  EXPECT_EQ(reading->config_file, file);
}

TEST(Options, ARepeatedFlagsLastValueCounts) {
  EXPECT_EQ(Make({{"cluster", "a"}, {"cluster", "b"}})->node.cluster, "b");
  EXPECT_EQ(Make({{"lease-duration", "nonsense"}, {"lease-duration", "1m"}})->node.rules.period_ms, 60'000);
}

TEST(Options, OnAndOffInAllTheirWords) {
  for (const char* off : {"off", "false", "0", "no", "OFF", "False"}) {
    EXPECT_FALSE(Read({"--leasing", off})->options.node.rules.leasing) << off;
    EXPECT_FALSE(Read({std::string("--leasing=") + off})->options.node.rules.leasing) << off;
    EXPECT_FALSE(ReadFile(std::string("leasing = ") + off)->options.node.rules.leasing) << off;
    const Variable leasing("LEASEMAP_LEASING", off);
    EXPECT_FALSE(Read({})->options.node.rules.leasing) << off;
    EXPECT_TRUE(Read({"--leasing"})->options.node.rules.leasing);
  }
  const Variable leasing("LEASEMAP_LEASING", "off");
  for (const char* on : {"on", "true", "1", "yes", "Yes"}) {
    EXPECT_TRUE(Read({"--leasing", on})->options.node.rules.leasing) << on;
  }
  EXPECT_FALSE(Read({"--leasing="})->options.node.rules.leasing);
  EXPECT_THAT(Read({"--insecure", "--listen=0.0.0.0:0"}), IsOk());
  for (const char* neither : {"2", "-", "t", "enable"}) EXPECT_FALSE(Make({{"leasing", neither}}).ok()) << neither;
}

TEST(Options, ErrorsSayWhereAValueIsFrom) {
  EXPECT_EQ(ErrorOf(Read({"--lease-duration=9000h"})), "--lease-duration: 9000h is out of range; give 1ms to 8760h");
  EXPECT_EQ(ErrorOf(Read({"--lease-duration=1s"})),
            "--lease-duration: 1s is out of range; give 2s to 8760h (at least 4 times --max-clock-skew)");
  EXPECT_EQ(ErrorOf(ReadFile("# a comment\n\nmax-clock-skew = 2m\n")),
            "--max-clock-skew (line 3 of " + ConfigFile("") + "): 2m is out of range; give 1ms to 1m");
  for (const char* no_duration : {"30", "1d", "inf", "soon"}) {
    EXPECT_EQ(ErrorOf(Read({"--forget-after", no_duration})),
              absl::StrCat("--forget-after: \"", no_duration,
                           "\" is not a duration; write a number and a unit, as 500ms, 30s, 10m, 1h or 1h30m, or 0"));
  }
  EXPECT_EQ(ErrorOf(Read({"--forget-after=-1h"})), "--forget-after: \"-1h\" is negative; a duration is 0 or more");
  EXPECT_EQ(ErrorOf(Read({"--forget-after=1us"})), "--forget-after: 1us is not a whole number of milliseconds");
  EXPECT_EQ(ErrorOf(Read({"--listen"})), "--listen: a value is missing");
  EXPECT_EQ(ErrorOf(Read({"--config=/no/such"})), "--config: /no/such: not a file that can be read");
  const Variable listen("LEASEMAP_LISTEN", "0.0.0.0:1"), leasing("LEASEMAP_LEASING", "maybe");
  EXPECT_THAT(ErrorOf(Read({})), testing::StartsWith("--leasing (LEASEMAP_LEASING): \"maybe\" is neither on nor off"));
  EXPECT_THAT(ErrorOf(Read({"--leasing=on"})), testing::StartsWith("--listen (LEASEMAP_LISTEN): 0.0.0.0:1 is beyond"));
}

TEST(Options, HelpAndVersionAreShown) {
  EXPECT_EQ(Read({"--version"})->show, "1.2.3\n");
  const std::string help = Read({"--help"})->show;
  for (const char* shown : {"1h", "500ms", "72h", "--log-level", "DURATION"}) {
    EXPECT_THAT(help, testing::HasSubstr(shown));
  }
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
                                                        {"check-data", "on"},
                                                        {"fsync", "sometimes"},
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
  EXPECT_THAT(Make({{"listen", "0.0.0.0:7400"}, {"insecure", "true"}}), IsOk());
  EXPECT_THAT(Make({{"listen", "[::1]:7400"}}), IsOk());
  EXPECT_THAT(Make({{"advertise", "10.1.2.3:7401"}}), IsOk());
}

TEST(Options, SeedsAreSplitAndKeptOnce) {
  const auto options = Make({{"seeds", " a:1, b:2 ,,a:1"}});
  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(options->node.seeds, (std::vector<std::string>{"a:1", "b:2"}));
}

TEST(Options, ConfigFileHasQuotesCommentsAndAMark) {
  const auto good = ReadFile(
      "\xEF\xBB\xBFnode-id = \"n #1\" # a comment\r\n; another\n#x = y\n--cluster=a#b  # c\nlisten = [::1]:7400\n"
      "seeds = a:1, b:2,c:3\nadvertise = 'h:1'\nlog-level = warn\nlog-level = debug\nforget-after =\n");
  ASSERT_THAT(good, IsOk());
  EXPECT_EQ(good->options.node.node_id, "n #1");
  EXPECT_EQ(good->options.node.cluster, "a#b");
  EXPECT_EQ(good->options.listen, "[::1]:7400");
  EXPECT_EQ(good->options.node.seeds, (std::vector<std::string>{"a:1", "b:2", "c:3"}));
  EXPECT_EQ(good->options.node.advertise, "h:1");
  EXPECT_EQ(good->options.log_level, "debug");
  EXPECT_EQ(good->options.node.forget_after_ms, 72 * 3'600'000);
}

TEST(Options, WrongLinesOfTheFileAreNamed) {
  for (const auto& [text, says] :
       Settings{{"node-id n1", "line 1 is not `flag = value`"},
                {"\nno-such-flag = 1", "line 2: there is no flag \"no-such-flag\""},
                {"config = /f", "line 1: there is no flag \"config\""},
                {"[listen]\n", "line 1 is not"},
                {"\n\ncluster = \"a", "line 3: the value of cluster does not end with its quotes"},
                {"cluster = 'a' b", "line 1: the value of cluster does not end with its quotes"}}) {
    EXPECT_THAT(ErrorOf(ReadFile(text)), testing::AllOf(testing::StartsWith("--config: "), testing::HasSubstr(says)));
  }
}

TEST(Options, BytesHaveUnits) {
  EXPECT_EQ(Make({})->max_bytes, 0u);
  EXPECT_EQ(Make({{"max-bytes", "512MiB"}})->max_bytes, uint64_t{512} << 20);
  EXPECT_EQ(Make({{"max-bytes", "4gib"}})->max_bytes, uint64_t{4} << 30);
  EXPECT_EQ(Make({{"max-bytes", "20000000"}})->max_bytes, 20'000'000u);
}

TEST(Options, AChangedFileTellsWhatTakesARestart) {
  const auto before = ReadFile("cluster = a\nseeds = a:1\nforget-after = 72h\nmax-clock-skew = 1s\n");
  const char* text = "cluster = b\nseeds = b:1\nlog-level = debug\nlease-duration = 30s\nmax-clock-skew = 1000ms\n";
  const auto after = ReadFile(text);
  ASSERT_THAT(before, IsOk());
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(WaitForRestart(*before, *after), (std::vector<std::string>{"cluster", "lease-duration"}));
  EXPECT_EQ(WaitForRestart(*after, *after), std::vector<std::string>{});
}

TEST(Environment, AMisspeltVariableIsNamedWithTheOneMeant) {
  const auto warned = UnknownVariables({"LEASEMAP_SEED=a:1", "LEASEMAP_LEASE_DURATON=30m", "PATH=/bin",
                                        "LEASEMAP_NODE_DI=n1", "LEASEMAP_CONFG=/f", "LEASEMAP_WALRUS=1"});
  const std::string all = absl::StrJoin(warned, "\n");
  ASSERT_EQ(warned.size(), 5u) << all;
  for (const char* pair : {"leasemapd does not know the variable LEASEMAP_SEED and ignores it; is LEASEMAP_SEEDS meant",
                           "the variable LEASEMAP_LEASE_DURATON and ignores it; is LEASEMAP_LEASE_DURATION meant",
                           "is LEASEMAP_NODE_ID meant", "is LEASEMAP_CONFIG meant",
                           "the variable LEASEMAP_WALRUS and ignores it; leasemapd --help"}) {
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

TEST(Log, AJsonLineIsOneObjectWhateverTheMessage) {
  const auto line = [](spdlog::level::level_enum level, std::string_view text) {
    spdlog::details::log_msg message("name", level, spdlog::string_view_t(text.data(), text.size()));
    message.time = spdlog::log_clock::time_point(std::chrono::milliseconds(1'700'000'000'007));
    spdlog::memory_buf_t out;
    JsonLines()->format(message, out);
    return std::string(out.data(), out.size());
  };
  EXPECT_EQ(line(spdlog::level::warn, "a \"b\" \\ c\nd\te\x7f"),
            R"({"time":"2023-11-14T22:13:20.007Z","level":"warn","message":"a \"b\" \\ c\nd\u0009e\u007f"})"
            "\n");
  EXPECT_EQ(line(spdlog::level::info, "\u00fc\u20ac\U0001F600\xff\xe2\x82"),
            "{\"time\":\"2023-11-14T22:13:20.007Z\",\"level\":\"info\",\"message\":"
            "\"\u00fc\u20ac\U0001F600\\ufffd\\ufffd\\ufffd\"}\n");
  EXPECT_EQ(line(spdlog::level::info, "a\u202etxt"),  // it turns the text around
            R"({"time":"2023-11-14T22:13:20.007Z","level":"info","message":"a\u202etxt"})"
            "\n");
}

}  // namespace
}  // namespace leasemap

// What --server may name, and what is said of anything else.
#include "clients/cli/core/servers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace leasemap::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ParseServers, AddsThePortOfANode) {
  EXPECT_THAT(*ParseServers("node1"), ElementsAre("node1:7400"));
  EXPECT_THAT(*ParseServers("node1:7410"), ElementsAre("node1:7410"));
  EXPECT_THAT(*ParseServers("10.0.0.1"), ElementsAre("10.0.0.1:7400"));
  EXPECT_THAT(*ParseServers("[::1]"), ElementsAre("[::1]:7400"));
  EXPECT_THAT(*ParseServers("[fe80::1%eth0]:65535"), ElementsAre("[fe80::1%eth0]:65535"));
  EXPECT_THAT(*ParseServers("my_node-1.example.org:1"), ElementsAre("my_node-1.example.org:1"));
}

TEST(ParseServers, ReadsLists) {
  EXPECT_THAT(*ParseServers("a,b:1,[::1]"), ElementsAre("a:7400", "b:1", "[::1]:7400"));
  EXPECT_THAT(*ParseServers(" a , b,,"), ElementsAre("a:7400", "b:7400"));
}

TEST(IsLoopback, IsOfAddressesAndNotOfNamesThatBeginLikeThem) {
  for (const char* server : {"127.0.0.1:7400", "127.1.2.3:1", "localhost:7400", "[::1]:7400"}) {
    EXPECT_TRUE(IsLoopback(server)) << server;
  }
  for (const char* server : {"127.example.com:7400", "127.0.0.1.example.com:7400", "127.0.0:1",
                             "localhost.example.com:1", "[::2]:7400", "10.0.0.1:7400", "node1:7400"}) {
    EXPECT_FALSE(IsLoopback(server)) << server;
  }
}

TEST(ParseServers, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "names no server"},
      {",", "names no server"},
      {"a:0", "ports are 1 to 65535"},
      {"a:65536", "ports are 1 to 65535"},
      {"a:99999999999999999999", "ports are 1 to 65535"},
      {"a:-1", "write host:port"},
      {"a:", "write host:port"},
      {"a:http", "write host:port"},
      {":7400", "names no host"},
      {"::1", "in brackets, as [::1]:7400"},
      {"fe80::1:7400", "in brackets"},
      {"[::1", "no ]"},
      {"[::1]7400", "write host:port"},
      {"[::1]:", "write host:port"},
      {"[node1]:7400", "no IPv6 address"},
      {"[]", "no IPv6 address"},
      {"http://node1:7400", "is a URL"},
      {"node1/x", "is no host"},
      {"a b", "is no host"},
      {"a,b:0", "\"b:0\""},
  };
  for (const auto& each : cases) {
    const auto servers = ParseServers(each.first);
    EXPECT_EQ(servers.status().code(), absl::StatusCode::kInvalidArgument) << each.first;
    EXPECT_THAT(std::string(servers.status().message()), HasSubstr(each.second)) << each.first;
  }
}

}  // namespace
}  // namespace leasemap::cli

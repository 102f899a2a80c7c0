// Where a health check finds the node of its own container.
#include "clients/cli/core/own_node.h"

#include <gtest/gtest.h>

namespace leasemap::cli {
namespace {

TEST(OwnNode, ReadsTheConfigurationFileAsTheNodeDoes) {
  EXPECT_EQ(ListenOf("# a comment\ncluster = c\n --listen= 10.0.0.1:7500 \nseeds = a:1"), "10.0.0.1:7500");
  EXPECT_EQ(ListenOf("listen = :1\nlisten = :2\n"), ":2");
  EXPECT_EQ(ListenOf("mesh-listen = :1\n# listen = :2\nlisten"), "");
  EXPECT_EQ(ListenOf("\xef\xbb\xbflisten = \"10.0.0.1:7500\"  # of this host\r\n"), "10.0.0.1:7500");
  EXPECT_EQ(ListenOf("listen = ':7500'"), ":7500");
  EXPECT_EQ(ListenOf("listen = :7500 # a comment"), ":7500");
  EXPECT_EQ(ListenOf(""), "");
}

TEST(OwnNode, AllInterfacesAreReachedThroughLoopback) {
  EXPECT_EQ(ServerAt("0.0.0.0:7500"), "127.0.0.1:7500");
  EXPECT_EQ(ServerAt(":7500"), "127.0.0.1:7500");
  EXPECT_EQ(ServerAt("[::]:7500"), "[::1]:7500");
  EXPECT_EQ(ServerAt("10.0.0.1:7500"), "10.0.0.1:7500");
  EXPECT_EQ(ServerAt("[fe80::1]:7500"), "[fe80::1]:7500");
}

TEST(OwnNode, NoAddressIsMadeUp) {
  for (const char* listen : {"", "nonsense", "127.0.0.1:", "127.0.0.1:0"}) EXPECT_EQ(ServerAt(listen), "") << listen;
}

}  // namespace
}  // namespace leasemap::cli

// The list of a service's streams: its bounds, and that a stream is freed outside of its lock.
#include "server/rpc/streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace leasemap::rpc {
namespace {

struct Stream {
  explicit Stream(int number) : id(number) {}
  const int id;
};

std::vector<int> Ids(const std::vector<std::shared_ptr<Stream>>& streams) {
  std::vector<int> ids;
  for (const auto& stream : streams) ids.push_back(stream->id);
  return ids;
}

TEST(Streams, KeepsBothBounds) {
  Streams<Stream> streams(3, 2);
  std::vector<std::shared_ptr<Stream>> all;
  const auto add = [&](const std::string& peer) {
    all.push_back(std::make_shared<Stream>(static_cast<int>(all.size())));
    return streams.Add(all.back(), peer);
  };
  EXPECT_TRUE(streams.empty());
  EXPECT_EQ(add("a"), Added::kYes);
  EXPECT_EQ(add("a"), Added::kYes);
  EXPECT_EQ(add("a"), Added::kConnectionFull);
  EXPECT_EQ(add("b"), Added::kYes);
  EXPECT_EQ(add("b"), Added::kFull);
  EXPECT_EQ(add("a"), Added::kConnectionFull) << "of two bounds the client hears the one that it can do more about";
  EXPECT_THAT(Ids(streams.All()), testing::UnorderedElementsAre(0, 1, 3));

  const StreamUse use = streams.use();
  EXPECT_EQ(use.streams, 3u);
  EXPECT_EQ(use.most, 3u);
  EXPECT_EQ(use.busiest, "a");
  EXPECT_EQ(use.of_busiest, 2u);

  EXPECT_EQ(streams.Remove(all[0].get()), all[0]);
  EXPECT_EQ(add("a"), Added::kYes);
  streams.Remove(all[1].get());
  streams.Remove(all[6].get());
  streams.Remove(all[3].get());
  EXPECT_TRUE(streams.empty());
  EXPECT_EQ(streams.use().busiest, "");
}

TEST(Streams, TakesNoneOnceClosed) {
  Streams<Stream> streams(3);
  const auto stream = std::make_shared<Stream>(7);
  ASSERT_EQ(streams.Add(stream, "a"), Added::kYes);
  EXPECT_THAT(Ids(streams.Close()), testing::ElementsAre(7));
  EXPECT_EQ(streams.Add(std::make_shared<Stream>(8), "a"), Added::kClosed);
  EXPECT_THAT(Ids(streams.All()), testing::ElementsAre(7)) << "what is open goes on until gRPC is done with it";
  streams.Remove(stream.get());
  EXPECT_TRUE(streams.empty());
}

// WatchStream's destructor takes the hub's lock, and could take the list's.
TEST(Streams, FreesWithoutItsLock) {
  struct Asking {
    Asking(Streams<Asking>& streams, bool& answer) : list(streams), was_empty(answer) {}
    ~Asking() { was_empty = list.empty(); }
    Streams<Asking>& list;
    bool& was_empty;
  };
  bool was_empty = false;
  Streams<Asking> streams(1);
  auto stream = std::make_shared<Asking>(streams, was_empty);
  const Asking* key = stream.get();
  ASSERT_EQ(streams.Add(std::move(stream), "a"), Added::kYes);
  streams.Remove(key);
  EXPECT_TRUE(was_empty);
}

}  // namespace
}  // namespace leasemap::rpc

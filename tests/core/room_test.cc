// What happens when the map is as large as it may be: here, and with what members bring.
#include "peer/core/sync/room.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "tests/core/matchers.h"
#include "tests/core/mesh.h"

namespace leasemap::core {
namespace {

constexpr uint64_t kMax = 1 << 20;
const std::string kValue(50'000, 'v');

NodeOptions Small(const std::string& id, uint64_t max_bytes) {
  NodeOptions options = Mesh::Options(id);
  options.max_bytes = max_bytes;
  return options;
}

absl::Status Delete(Mesh& mesh, int node, int number) {
  WriteCommand command;
  command.change = Change::kDelete;
  command.key = absl::StrCat("k", number);
  command.holder = mesh[node].self().node;
  const auto status = mesh[node].Write(mesh.now(node), command).status();
  mesh.Settle();
  return status;
}

// Sets k0, k1, … until one is refused; how many were set.
int Fill(Mesh& mesh, int node) {
  for (int i = 0; i < 1000; ++i) {
    const auto set = mesh.Set(node, absl::StrCat("k", i), kValue);
    if (set.ok()) continue;
    EXPECT_THAT(set, HasReason("BYTES_LIMIT")) << set.status();
    return i;
  }
  ADD_FAILURE() << "never full";
  return 1000;
}

TEST(Room, ALocalWriteBeyondItIsRefusedAndADeleteIsNot) {
  Mesh mesh;
  const int a = mesh.Add(Small("a", kMax));
  const int set = Fill(mesh, a);
  const NodeStatus full = mesh[a].GetStatus();
  EXPECT_LE(full.held_bytes, kMax);
  EXPECT_GT(full.held_bytes, kMax / 4 * 3);
  EXPECT_GE(set, 15);
  EXPECT_THAT(mesh.Set(a, "new", kValue), HasReason("BYTES_LIMIT"));
  EXPECT_THAT(mesh.Set(a, "k0", "smaller"), IsOk());  // it makes room
  for (int i = 1; i < 5; ++i) EXPECT_THAT(Delete(mesh, a, i), IsOk());
  EXPECT_THAT(mesh.Set(a, "new", kValue), IsOk());
}

TEST(Room, WhatMembersBringHasAReserveAndIsLeftOutBeyond) {
  Mesh mesh;
  const int a = mesh.Add(Small("a", 4 * kMax)), b = mesh.Add(Small("b", kMax));
  mesh.Connect(a, b);
  const int set = Fill(mesh, a);
  mesh.Advance(10'000);
  const NodeStatus full = mesh[b].GetStatus();
  EXPECT_GT(full.left_out, 0u);
  EXPECT_LE(full.held_bytes, kMax + kMax / 8 + kMax / 16);
  EXPECT_GT(full.held_bytes, kMax);
  ASSERT_FALSE(full.notes.empty());
  EXPECT_NE(full.notes.back().find("--max-bytes"), std::string::npos) << full.notes.back();
  EXPECT_FALSE(mesh[b].vector().Covers(mesh[a].vector()));  // it does not claim what it left out
  int said = 0;
  for (const auto& line : mesh.peer(b).log) said += line.find("the map is full") != std::string::npos;
  EXPECT_EQ(said, 1);

  // What was left out comes again now and then, not all the time.
  mesh.Advance(30'000);
  const uint64_t before = mesh[b].GetStatus().left_out, each = static_cast<uint64_t>(set);
  mesh.Advance(120'000);
  const uint64_t again = mesh[b].GetStatus().left_out - before;
  EXPECT_GT(again, 0u);
  EXPECT_LE(again, 4 * each);

  // Once there is room, it is taken, and nothing was lost.
  for (int i = 3; i < set; ++i) ASSERT_THAT(Delete(mesh, a, i), IsOk());
  for (int i = 0; i < 60 && !mesh[b].vector().Covers(mesh[a].vector()); ++i) mesh.Advance(1000);
  EXPECT_TRUE(mesh[b].vector().Covers(mesh[a].vector()));
  EXPECT_EQ(mesh[a].GetStatus().map_hash, mesh[b].GetStatus().map_hash);
  EXPECT_THAT(mesh.Set(b, "here", "too"), IsOk());
}

TEST(Room, TheOwnLogAndTheConflictsHaveTheirShare) {
  const Room room(uint64_t{64} << 20);
  EXPECT_EQ(room.side_bytes(kOwnLogBytes), size_t{4} << 20);
  EXPECT_EQ(Room(kMaxMapBytes).side_bytes(kOwnLogBytes), kOwnLogBytes);
}

}  // namespace
}  // namespace leasemap::core

// A backup whose client takes less than others write meanwhile.
#include <string>

#include "protos/backup_file.h"
#include "tests/rpc/one_node.h"

namespace leasemap::rpc {
namespace {

// Takes a backup of `keys` keys. After each message `writes` keys are written again, in turn. Returns how it ended;
// `complete`: whether all of the file came. Stops after `most` messages.
grpc::Status Take(int keys, size_t value, int writes, int most, bool* complete) {
  OneNode node;
  const auto set = [&](int key) {
    ASSERT_THAT(node.Set(absl::StrCat("k", key % keys), std::string(value, 'x')), IsOk());
  };
  for (int key = 0; key < keys; ++key) set(key);
  grpc::ClientContext context;
  const auto stream = node.mesh->Backup(&context, {});
  v1::BackupResponse message;
  BackupParser parser;
  int messages = 0, key = 0;
  for (; messages < most && stream->Read(&message); ++messages) {
    parser.Add(message.data());
    for (auto record = parser.Next(); record.ok() && *record; record = parser.Next()) continue;
    for (int i = 0; i < writes; ++i) set(key++);
  }
  *complete = parser.complete();
  if (messages == most) context.TryCancel();
  return stream->Finish();
}

// A message is of 1 MiB, and meanwhile 1.2 MiB change, of 6 MiB in all.
TEST(Backup, ASlowClientGetsToTheEndWhileAFewKeysChange) {
  bool complete = false;
  EXPECT_THAT(Take(20, 300'000, 4, 200, &complete), IsOk());
  EXPECT_TRUE(complete);
}

// More than a last page changes all the time.
TEST(Backup, AClientThatNeverCatchesUpIsTold) {
  bool complete = true;
  EXPECT_THAT(Take(250, 100'000, 14, 1000, &complete), HasReason("WAIT_LIMIT"));
  EXPECT_FALSE(complete);
}

}  // namespace
}  // namespace leasemap::rpc

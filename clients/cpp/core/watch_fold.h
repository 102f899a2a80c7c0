// What a watch tells a program of streams that follow each other, on whatever nodes: nothing twice, and what only a
// node that failed had is taken back. Pure: messages come as the protos' objects.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "leasemap/entry.h"
#include "leasemap/options.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::internal {

// How many keys a watch remembers of the events since the last cursor. A node sends a cursor after 1,000 events and an
// eighth of the keys, so it is enough for a million keys; beyond it events may come twice after a move, and what only
// the failed node had may not be taken back.
inline constexpr size_t kToldMost = 130'000;

class WatchFold {
 public:
  explicit WatchFold(const WatchOptions& options);

  // What the next stream asks for.
  v1::WatchRequest Request();

  // One message of the stream: adds what the program is told. If it returns keys, the caller reads them at the
  // stream's own node, and gives the entries to TakeBack before the next message. Only that node has waited until it
  // covered the cursor.
  std::vector<std::string> Take(const v1::WatchResponse& message, std::vector<Event>& told);
  // The entries of those of the keys that exist.
  void TakeBack(const absl::flat_hash_map<std::string, Entry>& found, std::vector<Event>& told);

 private:
  // What was told of a key since the last cursor, or in a snapshot.
  struct Telling {
    Kind kind = Kind::kSet;
    Entry entry;  // without its value
    // The stream that is read now told it, too. An earlier stream's node may have died with the only copy of it.
    bool confirmed = true;
    std::optional<Event> instead = {};  // what this stream has instead, of lower rank
  };

  // False for an event that was told since the last cursor, and for one of lower rank than what an earlier stream told
  // of its key: that waits until it is clear which of them remains.
  bool IsNew(const Event& event);
  void Remember(const Event& event);
  void EndSnapshot(std::vector<Event>& told);
  // Tells the present state of a key in place of what was told; without `instead` that is nothing.
  void TellInstead(const Telling& telling, std::optional<Event> instead, std::vector<Event>& told) const;
  void EndMessage(std::vector<Event>& told);

  v1::WatchRequest request_;
  const bool bookmarks_;
  std::vector<Kind> kinds_;
  std::string cursor_;
  bool asks_;  // for a snapshot, which is not whole yet
  absl::flat_hash_map<std::string, Telling> told_;
  // Of the message that is being taken.
  std::string new_cursor_;
  bool snapshot_ended_ = false;
};

}  // namespace leasemap::internal

// How far this node's disk has followed its map. It has a prefix of what was applied, never a mixture.
//
// The disk is written in pieces, one at a time, each of which is one atomic write. Entries come in the order of the
// store's revisions, so what changed twice meanwhile is written once. Each piece has the conflicts found up to it, so
// that none goes with the write that lost. The last piece has what makes the entries a map: the vector, the floor and
// the keys that were collected. Before it the disk may have entries that its vector does not cover, which is safe: to
// claim too little costs only a repeated transfer. The first piece of a process has no entries: it names the process,
// and covers what was read back, before any of that is replaced. Without a disk nothing is taken, and all that was
// applied counts as saved.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "peer/core/data/disk_state.h"
#include "peer/core/data/image.h"
#include "peer/core/data/message.h"
#include "peer/core/sync/conflicts.h"
#include "peer/core/sync/store.h"

namespace leasemap::core {

class Saving {
 public:
  // What the last piece has beside what the map counts itself as changes: if it is another one, a piece is due.
  struct Rest {
    uint64_t incarnation = 0, members = 0;  // `members`: Membership::change()
    bool whole = false;
    int64_t ceiling_ms = 0, lapses_gone_ms = 0;
    uint64_t collected_epoch = 0;
    bool operator==(const Rest&) const = default;
  };

  Saving(bool disk, size_t piece_bytes) : disk_(disk), piece_bytes_(piece_bytes) {}

  bool disk() const { return disk_; }
  // Everything up to this change (Replica::change) is on the disk.
  uint64_t saved_change() const { return saved_change_; }
  // How the disk does.
  const DiskState& state() const { return state_; }
  void SetState(DiskState state) { state_ = std::move(state); }
  // The vector as it is on the disk.
  const VectorPtr& saved_vector() const { return saved_vector_; }

  // The map as it is now is the one on the disk: it was read from there, or is empty.
  void IsSaved(uint64_t change, VectorPtr vector, VectorPtr floor, uint64_t head);
  // The disk has all conflicts before this number.
  void HasConflicts(uint64_t end) { conflicts_ = end; }
  // A key was collected; only with a disk.
  void Collected(const std::string& key) { gone_.insert(key); }
  // The map was given up for an empty one, whose revisions go on above `head`.
  void GaveUp(uint64_t change, uint64_t head);

  // The disk lacks something, and no piece is on its way there.
  bool IsDue(uint64_t change, uint64_t head, uint64_t conflicts_end, const Rest& rest) const;
  // The next piece, on its way from now on. Only if IsDue. `image`: of the map as it is now, but for the entries.
  Unsaved Take(uint64_t change, const Store& store, const Conflicts& conflicts, const Rest& rest, Image image);
  // The piece that is on its way makes the entries a map.
  bool last() const { return piece_ && piece_->last; }
  // The piece is on the disk. True if it was a last one.
  bool Saved();
  // It is not, and has to be taken again.
  void Failed();

 private:
  friend struct Inside;  // see node.h

  void TakeEntries(const Store& store, Unsaved& out);
  // A piece on its way.
  struct Piece {
    bool all = false, first = false, last = false;
    uint64_t from = 0;           // the position before it …
    uint64_t conflicts = 0;      // … and the number of the first conflict that it has
    std::set<std::string> gone;  // of a last piece
    uint64_t change = 0;
    VectorPtr vector, floor;
  };

  const bool disk_;
  const size_t piece_bytes_;
  DiskState state_;
  bool named_ = false;          // the disk has the incarnation of this process, or it is on its way
  bool all_ = false;            // the disk still has the map that was given up
  uint64_t position_ = 0;       // revisions up to here are on the disk or on their way
  uint64_t conflicts_ = 1;      // conflicts before this number are on the disk or on their way
  std::set<std::string> gone_;  // collected since the last piece; fewer than there were keys
  std::optional<Rest> rest_;    // as taken last
  std::optional<Piece> piece_;
  uint64_t saved_change_ = 0;
  VectorPtr saved_vector_, saved_floor_;
};

}  // namespace leasemap::core

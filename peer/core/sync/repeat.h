// What a node that answered a write of a lease does when that write loses to another of the same lease.
//
// A holder's writes may go through several nodes, of which one lags. Two of them can then cross: a renewal that never
// saw the newer value, or a new value that a renewal of the next lease period never saw. Neither is a conflict, since
// both are of one holder, and merging keeps but one. So the node that took the losing one writes what is missing on
// top: what it answered comes true, and the value stays the newest.
#pragma once

#include <optional>

#include "peer/core/data/entry.h"

namespace leasemap::core {

// What to write on top of `winner`, to which `loser` lost: an entry that lacks its dot; nullopt: nothing. Both entries
// alone decide, no clock:
//
//   the winner's value is newer  → the winner with the loser's longer lease, or released, as the loser was. Not if the
//                                  loser was asked for before that value was set.
//   the loser's value is newer   → the winner's lease with the loser's value (or its deletion). An epoch decided then.
//
// The value keeps its dot and stamp, so that of several repeats the newest value wins. The stamp is the least that
// outranks the winner, not the clock's: a later write of the holder is never undone by it.
std::optional<Entry> RepeatOf(const Entry& loser, const Entry& winner);

}  // namespace leasemap::core

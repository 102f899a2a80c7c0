#include "tests/sim/checkers/values.h"

#include <algorithm>

#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {
namespace {

// A holder that releases and acquires again within a second gets the same start, and another epoch of the period.
bool SameLease(const core::Entry& a, const core::Entry& b) {
  const bool alike = a.lease.holder == b.lease.holder && a.lease.start_s == b.lease.start_s;
  const bool periods_differ = a.lease.epoch >> core::kEpochShift != b.lease.epoch >> core::kEpochShift;
  return alike && (periods_differ || a.lease.epoch == b.lease.epoch);
}

}  // namespace

std::string CheckNotOlder(const core::Entry& before, const core::Entry& after) {
  const bool alike = SameLease(before, after) && before.lease.epoch == after.lease.epoch;
  if (!alike || core::ValueStamp(after) >= core::ValueStamp(before)) return "";
  return "an older value of the same lease takes the place of a newer one: " + Describe(before) + " to " +
         Describe(after);
}

std::string CheckKeeps(const core::Entry& written, const core::Entry* previous) {
  if (previous != nullptr && core::ValueDot(written) == core::ValueDot(*previous)) return "";
  return "a renewal or release does not name the write that set its value: " + Describe(written);
}

std::string CheckCameTrue(const core::Node& node, const WriteLog& log) {
  // What a map held that was given up, or taken back, is submitted again, by admission.
  const auto own = log.runs().find(node.self());
  if (own == log.runs().end() || node.retirement().resets() > 0) return "";
  for (const core::EntryPtr& written : own->second) {
    const core::EntryPtr* held = node.store().Find(written->key);
    if (held == nullptr || written->lease.duration_ms == 0 || !SameLease(*written, **held)) continue;
    // Another lease took its place in between: what it did is over.
    const auto& all = log.OfKey(written->key);
    if (std::any_of(all.begin(), all.end(), [&](const core::EntryPtr& other) {
          return !SameLease(*other, *written) && core::Outranks(*other, *written);
        })) {
      continue;
    }
    const core::Entry& stands = **held;
    const uint64_t value = core::ValueStamp(*written), standing = core::ValueStamp(stands);
    if (standing < value) {
      return "an answered value is older than one that was replaced: " + Describe(*written) + " lost to " +
             Describe(stands);
    }
    // No client asked for the end of what has no value any more (Node::Lapse): a value that comes yet is in force.
    const bool release = written->lease.released && !written->tombstone && !written->value_gone && standing > value;
    if (release && written->stamp > standing && !stands.lease.released) {
      return "an answered release is not in force: " + Describe(*written) + " lost to " + Describe(stands);
    }
  }
  return "";
}

}  // namespace leasemap::sim

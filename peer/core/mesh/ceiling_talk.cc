#include "peer/core/mesh/ceiling_talk.h"

namespace leasemap::core {

// A peer that is not sure of its clock says nothing, and may have another ceiling in a moment.
bool CeilingTalk::Hear(const Report& report) {
  const CeilingWord before = theirs_;
  const bool map = report.holds_map && report.ceiling_ms;
  const bool part = report.ceiling_ms && !report.holds_map && !report.vector->empty();
  theirs_ = {report.ceiling_ms.value_or(0), map, 0, part};
  return before.map != theirs_.map || before.part != theirs_.part || before.ceiling_ms != theirs_.ceiling_ms;
}

}  // namespace leasemap::core

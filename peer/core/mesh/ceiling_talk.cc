#include "peer/core/mesh/ceiling_talk.h"

namespace leasemap::core {

void CeilingTalk::Meet(const Report& report) {
  tells_ = report.ceiling_ms.has_value();
  Hear(report);
}

// A peer that is not sure of its clock says nothing, and may have another ceiling in a moment.
bool CeilingTalk::Hear(const Report& report) {
  const CeilingWord before = theirs_;
  const bool map = tells_ ? report.holds_map && report.ceiling_ms : report.whole && !report.vector->empty();
  const bool part = tells_ && report.ceiling_ms && !report.holds_map && !report.vector->empty();
  theirs_ = {report.ceiling_ms.value_or(0), map, 0, part};
  return before.map != theirs_.map || before.part != theirs_.part || before.ceiling_ms != theirs_.ceiling_ms;
}

}  // namespace leasemap::core

#include "tests/sim/checkers/merge_laws.h"

#include "peer/core/sync/store.h"
#include "tests/sim/checkers/describe.h"

namespace leasemap::sim {
namespace {

const core::EntryPtr& Higher(const core::EntryPtr& a, const core::EntryPtr& b) {
  return core::Outranks(*b, *a) ? b : a;
}

std::string Pair(const core::EntryPtr& a, const core::EntryPtr& b) {
  const auto ab = core::CompareRank(*a, *b), ba = core::CompareRank(*b, *a);
  const std::string both = Describe(*a) + " and " + Describe(*b);
  if ((ab < 0) != (ba > 0) || (ab > 0) != (ba < 0)) return "the order of arrival counts: " + both;
  // Of one write there are two copies at most: with its value, and without.
  const bool same = a->dot == b->dot && a->value_gone == b->value_gone;
  if ((ab == 0) != same) return "equal ranks and different dots, or the other way round: " + both;
  if (ab == 0 && !(*a == *b)) return "two entries of one dot: " + both;
  return "";
}

}  // namespace

std::string MergeLaws::Met(const core::EntryPtr& held, const core::EntryPtr& incoming) {
  if (held == incoming) return "";
  if (auto fault = Pair(held, incoming); !fault.empty()) return fault;
  core::EntryPtr& third = third_[held->key];
  if (third && third != held && third != incoming) {
    for (const core::EntryPtr* one : {&held, &incoming}) {
      if (auto fault = Pair(*one, third); !fault.empty()) return fault;
    }
    const core::EntryPtr& left = Higher(Higher(held, incoming), third);
    const core::EntryPtr& right = Higher(held, Higher(incoming, third));
    if (!(left->dot == right->dot)) {
      return "the grouping counts: " + Describe(*held) + ", " + Describe(*incoming) + " and " + Describe(*third);
    }
  }
  third = held;
  return "";
}

}  // namespace leasemap::sim

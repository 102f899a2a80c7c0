// LEASEMAP_CHECK(condition, values…): an invariant of the core, looked at in every build, the simulator's included. If
// it does not hold the program ends, with the condition, the place and the values, since a node that goes on from a
// state that can't be would spread it.
//
// Only for what this code alone makes true. Nothing that a peer or a client sends may come to one: that is checked
// where it comes in, and refused.
#pragma once

#include <string>

#include "absl/base/optimization.h"
#include "absl/strings/str_cat.h"

namespace leasemap::core {

[[noreturn]] void CheckFailed(const char* condition, const char* file, int line, const std::string& values);

}  // namespace leasemap::core

#define LEASEMAP_CHECK(condition, ...)                                                                              \
  do {                                                                                                              \
    if (ABSL_PREDICT_FALSE(!(condition))) {                                                                         \
      ::leasemap::core::CheckFailed(#condition, __FILE__, __LINE__, ::absl::StrCat("" __VA_OPT__(, ) __VA_ARGS__)); \
    }                                                                                                               \
  } while (false)

// A matcher that says of a status what it is where it is not what was expected: EXPECT_THAT(write, IsOk()). It takes an
// absl::Status, an absl::StatusOr or a grpc::Status.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace leasemap {

// The status of a StatusOr, or the status itself.
template <typename T>
const auto& StatusIn(const T& value) {
  if constexpr (requires { value.status(); }) {
    return value.status();
  } else {
    return value;
  }
}

template <typename T>
std::string StatusText(const T& value) {
  const auto& status = StatusIn(value);
  if constexpr (requires { status.ToString(); }) {
    return status.ToString();
  } else {
    return absl::StrCat(status.error_code(), ": ", status.error_message());
  }
}

MATCHER(IsOk, negation ? "is an error" : "is OK") {
  *result_listener << "which is " << StatusText(arg);
  return arg.ok();
}

}  // namespace leasemap

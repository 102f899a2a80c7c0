// Puts keys, values and durations into requests and takes them out of answers: as text where the bytes are UTF-8, by
// the `_bytes` twin of the field otherwise. The same bytes are the same key either way.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_REQUEST_H_
#define LEASEMAP_CLIENTS_CLI_CORE_REQUEST_H_

#include <string>

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "leasemap/v1/key_value.pb.h"
#include "text/utf8.h"

namespace leasemap::cli {

template <typename Request>
void PutKey(const std::string& key, Request& request) {
  if (text::IsUtf8(key)) {
    request.set_key(key);
  } else {
    request.set_key_bytes(key);
  }
}

template <typename Request>
void PutValue(const std::string& value, Request& request) {
  if (text::IsUtf8(value)) {
    request.set_value(value);
  } else {
    request.set_value_bytes(value);
  }
}

inline void PutPrefix(const std::string& prefix, v1::ListRequest& request) {
  if (text::IsUtf8(prefix)) {
    request.set_prefix(prefix);
  } else {
    request.set_prefix_bytes(prefix);
  }
}

template <typename Message>
const std::string& KeyOf(const Message& message) {
  return message.has_key_bytes() ? message.key_bytes() : message.key();
}

inline const std::string& ValueOf(const v1::Entry& entry) {
  return entry.has_value_bytes() ? entry.value_bytes() : entry.value();
}

inline void PutDuration(absl::Duration duration, google::protobuf::Duration& out) {
  out.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  out.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
}

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_REQUEST_H_

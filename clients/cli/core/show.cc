#include "clients/cli/core/show.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "clients/cli/core/text.h"

namespace leasemap::cli {

absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string ShowTime(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", TimeOf(time), absl::UTCTimeZone());
}

std::string ShowMoment(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", TimeOf(time), absl::UTCTimeZone());
}

std::string ShowDuration(const google::protobuf::Duration& duration) {
  return absl::FormatDuration(absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos()));
}

absl::Duration LeaseAsked(const v1::Entry& entry) {
  if (!entry.has_lease() || entry.deleted()) return absl::ZeroDuration();
  return std::max(TimeOf(entry.lease().expire_time()) - TimeOf(entry.update_time()), absl::ZeroDuration());
}

std::string ShowLeft(const v1::Entry& entry, absl::Time now) {
  if (LeaseAsked(entry) == absl::ZeroDuration()) return "-";
  const absl::Duration left = TimeOf(entry.lease().expire_time()) - now;
  if (left <= absl::ZeroDuration()) return "ended";
  return left < absl::Seconds(1) ? "<1s" : absl::FormatDuration(absl::Trunc(left, absl::Seconds(1)));
}

std::vector<std::pair<std::string, std::string>> Meta(const v1::Entry& entry, absl::Time now) {
  std::string lease = ShowLeft(entry, now);
  if (lease == "-") {
    lease = "none";
  } else if (lease == "ended") {
    lease = absl::StrCat("ended at ", ShowTime(entry.lease().expire_time()));
  } else {
    absl::StrAppend(&lease, " left, until ", ShowTime(entry.lease().expire_time()));
  }
  std::vector<std::pair<std::string, std::string>> meta = {
      {"holder", entry.lease().holder().empty() ? "-" : Escape(entry.lease().holder())},
      {"lease", lease},
      {"version", Escape(entry.version())},
      {"updated", ShowMoment(entry.update_time())},
      {"origin", Escape(entry.origin())},
      {"fencing token", Escape(entry.lease().fencing_token())}};
  if (entry.has_value_time()) {
    meta.insert(meta.begin() + 4,
                {"value set", absl::StrCat(ShowMoment(entry.value_time()), ", only the lease changed since")});
  }
  if (entry.ephemeral()) meta.insert(meta.begin() + 2, {"on lapse", "the key vanishes"});
  return meta;
}

}  // namespace leasemap::cli

#include "server/rpc/list.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "peer/core/data/bytes.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/core/data/page_token.h"
#include "server/rpc/convert.h"

namespace leasemap::rpc {
namespace {

constexpr size_t kDefaultPage = 100, kMaxPage = 1000;
constexpr size_t kPageBytes = 1 << 20;
// The number of keys looked at under one lock. Dead keys are skipped, and there may be many.
constexpr int kScan = 4096;

struct Range {
  std::string start, end;  // end exclusive; empty: to the end of the map
  bool empty = false;
};

absl::StatusOr<Range> RangeOf(const v1::ListRequest& request) {
  const bool bytes = request.prefix_form_case() == v1::ListRequest::kPrefixBytes;
  const std::string& prefix = bytes ? request.prefix_bytes() : request.prefix();
  const std::string& start = request.start_key_form_case() == v1::ListRequest::kStartKeyBytes
                                 ? request.start_key_bytes()
                                 : request.start_key();
  const std::string& end =
      request.end_key_form_case() == v1::ListRequest::kEndKeyBytes ? request.end_key_bytes() : request.end_key();
  for (const auto* key : {&prefix, &start, &end}) {
    if (key->size() > core::kMaxKeyBytes)
      return core::InvalidField(key == &prefix  ? "prefix"
                                : key == &start ? "start_key"
                                                : "end_key",
                                "is longer than any key");
  }
  if (!prefix.empty() && !start.empty()) {
    return core::InvalidField("start_key", "cannot be combined with prefix; give one of the two");
  }
  if (!prefix.empty() && !end.empty()) {
    return core::InvalidField("end_key", "cannot be combined with prefix; give one of the two");
  }
  if (!prefix.empty()) return Range{prefix, core::AfterPrefix(prefix)};
  return Range{start, end, !end.empty() && start >= end};
}

// The last key of the page before.
absl::StatusOr<std::string> ReadToken(const Range& range, const std::string& text) {
  auto token = core::DecodePageToken(text);
  if (token && token->range == core::HashOfRange(range.start, range.end)) return std::move(token->last_key);
  return core::InvalidField("page_token", "is not the next_page_token of a page of this range");
}

}  // namespace

absl::Status List(const host::NodeHost& host, const Caller& caller, const v1::ListRequest& request,
                  v1::ListResponse* response) {
  auto range = RangeOf(request);
  if (!range.ok()) return range.status();
  if (auto status = caller.MayReadRange(range->start, range->end); !status.ok()) return status;
  if (request.page_size() < 0) return core::InvalidField("page_size", "is negative; give 0 (100 entries) to 1000");
  const size_t page = request.page_size() == 0 ? kDefaultPage : std::min<size_t>(request.page_size(), kMaxPage);
  std::string after;
  if (!request.page_token().empty()) {
    auto last = ReadToken(*range, request.page_token());
    if (!last.ok()) return last.status();
    after = *std::move(last);
  }
  if (range->empty) return absl::OkStatus();

  std::vector<core::EntryPtr> entries;
  size_t bytes = 0;
  bool end = false, full = false;
  while (!end && !full) {
    const core::Now now = host.now();
    host.Read([&](const core::Node& node) {
      const auto& map = node.shown().store.by_key();
      auto it = after.empty() ? map.lower_bound(range->start) : map.upper_bound(after);
      for (int scanned = 0; scanned < kScan; ++scanned, ++it) {
        end = it == map.end() || (!range->end.empty() && it->first >= range->end);
        if (end) return;
        const core::EntryPtr& entry = it->second.entry;
        if (!node.IsGone(now, it->second)) {
          const size_t weight = request.keys_only() ? entry->key.size() + 200 : core::Weight(*entry);
          full = entries.size() == page || (!entries.empty() && bytes + weight > kPageBytes);
          if (full) return;
          bytes += weight;
          entries.push_back(entry);
        }
        after = it->first;
      }
    });
  }
  for (const auto& entry : entries) ToProto(*entry, !request.keys_only(), response->add_entries());
  if (full) {
    response->set_next_page_token(
        core::EncodePageToken({core::HashOfRange(range->start, range->end), entries.back()->key}));
  }
  return absl::OkStatus();
}

}  // namespace leasemap::rpc

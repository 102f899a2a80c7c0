#include "server/rpc/audit.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "peer/core/data/error.h"
#include "text/json.h"

namespace leasemap::rpc {
namespace {

void Add(std::string& line, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  absl::StrAppend(&line, line.size() > 1 ? "," : "", "\"", absl::string_view(name.data(), name.size()), "\":\"",
                  text::JsonEscaped(value), "\"");
}

std::string OutcomeOf(const absl::Status& status) {
  if (status.ok()) return "OK";
  const std::string reason = core::ReasonOf(status);
  return reason.empty() ? absl::StatusCodeToString(status.code()) : reason;
}

std::string Text(const Audit::Line& line, const absl::Status& outcome, uint64_t left_out) {
  std::string out = "{";
  Add(out, "call", line.call);
  Add(out, "principal", line.principal);
  Add(out, "key", line.key);
  Add(out, "holder", line.holder);
  Add(out, "version", line.version);
  Add(out, "node", line.node);
  Add(out, "outcome", OutcomeOf(outcome));
  Add(out, "peer", line.peer);
  if (left_out > 0) absl::StrAppend(&out, ",\"refusals_left_out\":", left_out);
  return out + "}";
}

}  // namespace

void Audit::Write(const Line& line, const absl::Status& outcome) { log_->info("{}", Text(line, outcome, 0)); }

void Audit::Refuse(const Line& line, const absl::Status& why) {
  uint64_t left_out = 0;
  {
    const MutexLock lock(mutex_);
    const int64_t second = absl::ToUnixSeconds(absl::Now());
    if (second_ != second) second_ = second, refusals_ = 0;
    if (++refusals_ > kRefusalsPerSecond) {
      ++left_out_;
      return;
    }
    left_out = std::exchange(left_out_, 0);
  }
  log_->info("{}", Text(line, why, left_out));
}

}  // namespace leasemap::rpc

// Sets spdlog up, and writes JSON lines; see log.h.
#include "server/log.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"
#include "text/json.h"

namespace leasemap {
namespace {

constexpr char kAudit[] = "audit";

std::string_view NameOf(spdlog::level::level_enum level) {
  if (level == spdlog::level::warn) return "warn";
  const auto name = spdlog::level::to_string_view(level);
  return {name.data(), name.size()};
}

class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    const bool audit = std::string_view(message.logger_name.data(), message.logger_name.size()) == kAudit;
    const std::string line = absl::StrCat(
        R"({"time":")", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromChrono(message.time), absl::UTCTimeZone()),
        R"(","level":")", std::string(NameOf(message.level)),
        audit ? absl::StrCat(R"(","audit":)", std::string(text))
              : absl::StrCat(R"(","message":")", text::JsonEscaped(text), "\""),
        "}\n");
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

}  // namespace

std::unique_ptr<spdlog::formatter> JsonLines() { return std::make_unique<JsonFormatter>(); }

void SetLogLevel(const std::string& level) { spdlog::set_level(spdlog::level::from_str(level)); }

std::shared_ptr<spdlog::logger> AuditLog() {
  auto log = spdlog::default_logger()->clone(kAudit);
  log->set_level(spdlog::level::trace);
  return log;
}

void StartLog(const std::string& format, const std::string& level) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("leasemapd"));
  if (format == "json") {
    spdlog::set_formatter(JsonLines());
  } else {
    spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  }
  spdlog::flush_on(spdlog::level::info);
  SetLogLevel(level);
}

}  // namespace leasemap

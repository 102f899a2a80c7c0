// Sets spdlog up, and writes JSON lines; see log.h.
#include "server/log.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"
#include "text/utf8.h"

namespace leasemap {
namespace {

// As a JSON string may have it. A byte that is no UTF-8 becomes U+FFFD.
std::string Escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto [length, code] = text::First(text);
    if (length == 0) {
      out += "\\ufffd";
    } else if (code == '"' || code == '\\') {
      out += {'\\', text.front()};
    } else if (code == '\n') {
      out += "\\n";
    } else if (code < 0x10000 && !text::IsPrintable(code)) {
      absl::StrAppend(&out, "\\u", absl::Hex(static_cast<uint32_t>(code), absl::kZeroPad4));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

std::string_view NameOf(spdlog::level::level_enum level) {
  if (level == spdlog::level::warn) return "warn";
  const auto name = spdlog::level::to_string_view(level);
  return {name.data(), name.size()};
}

class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::string line = absl::StrCat(
        R"({"time":")", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromChrono(message.time), absl::UTCTimeZone()),
        R"(","level":")", std::string(NameOf(message.level)), R"(","message":")",
        Escaped({message.payload.data(), message.payload.size()}), "\"}\n");
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

}  // namespace

std::unique_ptr<spdlog::formatter> JsonLines() { return std::make_unique<JsonFormatter>(); }

void SetLogLevel(const std::string& level) { spdlog::set_level(spdlog::level::from_str(level)); }

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

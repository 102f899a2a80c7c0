// The log of leasemapd, on standard error: lines of text, or one JSON object a line. Starts it, and sets its level.
#pragma once

#include <memory>
#include <string>

#include "spdlog/formatter.h"

namespace leasemap {

// `format`: text or json; `level`: as --log-level takes it. Once, before anything is logged.
void StartLog(const std::string& format, const std::string& level);
void SetLogLevel(const std::string& level);

// {"time":"2026-01-31T12:00:00.123Z","level":"info","message":"…"}; the levels have the names of --log-level.
std::unique_ptr<spdlog::formatter> JsonLines();

}  // namespace leasemap

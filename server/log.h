// The log of leasemapd, on standard error: lines of text, or one JSON object a line. Starts it, and sets its level.
#pragma once

#include <memory>
#include <string>

#include "spdlog/formatter.h"
#include "spdlog/logger.h"

namespace leasemap {

// `format`: text or json; `level`: as --log-level takes it. Once, before anything is logged.
void StartLog(const std::string& format, const std::string& level);
void SetLogLevel(const std::string& level);
// The audit log: lines that are one JSON object each, whatever the level is. After StartLog.
std::shared_ptr<spdlog::logger> AuditLog();

// {"time":"2026-01-31T12:00:00.123Z","level":"info","message":"…"}; the levels have the names of --log-level. A line of
// the audit log has its object as "audit" instead of the message.
std::unique_ptr<spdlog::formatter> JsonLines();

}  // namespace leasemap

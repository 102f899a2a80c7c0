// What the command of `watch --exec` gets to know of an event: variables for the shell. Its standard input is the
// value.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_EVENT_VARIABLES_H_
#define LEASEMAP_CLIENTS_CLI_CORE_EVENT_VARIABLES_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "leasemap/v1/key_value.pb.h"

namespace leasemap::cli {

// A variable is half as long as Linux takes (128 KiB) at most. A longer value is on standard input alone.
inline constexpr size_t kLongestVariable = 64 << 10;

// The variable's name, and its text; nothing: the command does not get the variable. No text has a NUL: a value with
// one is left out, and a key with one is escaped.
using Variables = std::vector<std::pair<std::string, std::optional<std::string>>>;

// `cursor`: the last one before the event; empty if there is none.
Variables VariablesOf(const v1::Event& event, const std::string& cursor);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_EVENT_VARIABLES_H_

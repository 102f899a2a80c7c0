// The language of the scripts in testdata: lines of commands, each with the output that is expected of it. Pure: a text
// and the commands' usages go in, a script or a complaint with file and line comes out.
//
//   # A comment. The first lines of a script are one, and say what it shows.
//
//   set a color blue lease=30s
//       color (a#1), leased by a for 30s
//
// A command begins at the start of its line; what it prints follows at once, indented by four spaces.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace leasemap::core {

struct ScriptCommand {
  int line = 0;                                // in its file, from 1 on
  std::string name;                            // "set", "show map"
  std::vector<std::string> words;              // the arguments that have a place
  std::map<std::string, std::string> options;  // the others; a flag has an empty value
  std::vector<std::string> expected;           // the output, without its indentation
};

struct Script {
  std::string file;
  std::vector<std::string> lines;  // as they stand in the file
  std::vector<ScriptCommand> commands;
};

// A usage says what a command takes, and is what a complaint shows:
//
//   set NODE KEY VALUE [lease=TIME] [ephemeral] [ack=majority|all|COUNT]
//
// Words in small letters at the start are its name. `NODE...`, as the last word: one or more; `[NODE...]`: any number.
// TIME (1h30m, 250ms), OFFSET (+2h, -3s, 0s) and COUNT (12) are checked; every other type is a word. `a|b,...` takes a
// list of these with commas.
absl::StatusOr<Script> ParseScript(const std::string& file, std::string_view text,
                                   const std::vector<std::string>& usages);

// The text of the script with these outputs, one for each command, in place of those that are expected.
std::string WithOutputs(const Script& script, const std::vector<std::vector<std::string>>& outputs);

// An error that names file and line.
absl::Status ScriptError(const std::string& file, int line, const std::string& complaint);

// Milliseconds of a TIME; nullopt if it is none.
std::optional<int64_t> ParseTime(std::string_view word);
// … of an OFFSET.
std::optional<int64_t> ParseOffset(std::string_view word);
// As a TIME, negative ones with a minus: 1h, 59m30s, 2s500ms.
std::string ShowTime(int64_t ms);

}  // namespace leasemap::core

// See script.h.
#include "tests/core/script.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace leasemap::core {
namespace {

constexpr std::string_view kIndent = "    ";
// Largest first, and so that a longer unit is tried before its beginning.
constexpr std::array<std::pair<const char*, int64_t>, 4> kUnits = {
    {{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

std::vector<std::string> Words(std::string_view line) {
  return absl::StrSplit(absl::string_view(line.data(), line.size()), ' ');
}

bool IsSmall(const std::string& word) {
  return std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::islower(c) || c == '_'; });
}

struct Usage {
  std::string text;
  std::vector<std::string> name, types;        // types of the arguments that have a place
  bool repeats = false, any_number = false;    // the last of them
  std::map<std::string, std::string> options;  // name → type; empty: a flag

  std::string Name() const { return absl::StrJoin(name, " "); }
};

Usage ReadUsage(const std::string& text) {
  Usage usage;
  usage.text = text;
  for (std::string word : Words(text)) {
    const bool optional = word.front() == '[';
    if (optional) word = word.substr(1, word.size() - 2);
    if (const bool many = absl::EndsWith(word, "...") && !absl::EndsWith(word, ",..."); many || !optional) {
      if (many) word.resize(word.size() - 3);
      usage.repeats |= many;
      usage.any_number |= optional;
      (IsSmall(word) ? usage.name : usage.types).push_back(word);
    } else {
      const std::pair<std::string, std::string> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
      usage.options.insert(parts);
    }
  }
  return usage;
}

bool Fits(const std::string& type, const std::string& word) {
  if (word.empty()) return false;
  if (absl::EndsWith(type, ",...")) {
    const std::vector<std::string> parts = absl::StrSplit(word, ',');
    const std::string one = type.substr(0, type.size() - 4);
    return std::all_of(parts.begin(), parts.end(), [&](const std::string& part) { return Fits(one, part); });
  }
  if (absl::StrContains(type, '|')) {
    const std::vector<std::string> choices = absl::StrSplit(type, '|');
    return std::any_of(choices.begin(), choices.end(), [&](const std::string& choice) { return Fits(choice, word); });
  }
  if (IsSmall(type)) return word == type;
  if (type == "TIME") return ParseTime(word).has_value();
  if (type == "OFFSET") return ParseOffset(word).has_value();
  uint32_t count = 0;
  return type != "COUNT" || absl::SimpleAtoi(word, &count);
}

const Usage* FindUsage(const std::vector<Usage>& usages, const std::vector<std::string>& words) {
  const auto begins = [&](const Usage& usage) {
    return usage.name.size() <= words.size() && std::equal(usage.name.begin(), usage.name.end(), words.begin());
  };
  const auto found = std::find_if(usages.begin(), usages.end(), begins);
  return found == usages.end() ? nullptr : &*found;
}

// What is wrong with the command's arguments; empty: nothing. Fills them in.
std::string ReadArguments(const Usage& usage, const std::vector<std::string>& words, ScriptCommand* command) {
  for (size_t i = usage.name.size(); i < words.size(); ++i) {
    const std::string& word = words[i];
    const std::pair<std::string, std::string> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
    const auto option = usage.options.find(parts.first);
    if (option != usage.options.end() && absl::StrContains(word, '=') != option->second.empty()) {
      if (!option->second.empty() && !Fits(option->second, parts.second)) {
        return absl::StrCat("\"", word, "\": ", option->first, " takes ", option->second);
      }
      if (!command->options.insert(parts).second) return absl::StrCat("\"", word, "\": ", option->first, " twice");
      continue;
    }
    if (absl::StrContains(word, '=')) return absl::StrCat("no option \"", word, "\"");
    const size_t place = command->words.size();
    if (usage.types.empty() || (place >= usage.types.size() && !usage.repeats)) {
      return absl::StrCat("\"", word, "\" is too much");
    }
    if (!command->options.empty()) return absl::StrCat("\"", word, "\" comes after an option");
    const std::string& type = usage.types[std::min(place, usage.types.size() - 1)];
    if (!Fits(type, word)) return absl::StrCat("\"", word, "\" is no ", type);
    command->words.push_back(word);
  }
  const size_t least = usage.types.size() - (usage.any_number ? 1 : 0);
  return command->words.size() < least ? absl::StrCat(usage.types[command->words.size()], " is missing") : "";
}

std::string ReadCommand(const std::vector<Usage>& usages, const std::string& line, ScriptCommand* command) {
  const std::vector<std::string> words = Words(line);
  if (std::find(words.begin(), words.end(), "") != words.end()) return "words are separated by one space each";
  const Usage* usage = FindUsage(usages, words);
  if (usage == nullptr) {
    std::vector<std::string> names;
    for (const Usage& one : usages) names.push_back(one.Name());
    return absl::StrCat("no command \"", line, "\"; there are: ", absl::StrJoin(names, ", "));
  }
  command->name = usage->Name();
  const std::string wrong = ReadArguments(*usage, words, command);
  return wrong.empty() ? "" : absl::StrCat(wrong, "; usage: ", usage->text);
}

}  // namespace

absl::Status ScriptError(const std::string& file, int line, const std::string& complaint) {
  return absl::InvalidArgumentError(absl::StrCat(file, ":", line, ": ", complaint));
}

absl::StatusOr<Script> ParseScript(const std::string& file, std::string_view text,
                                   const std::vector<std::string>& usages) {
  std::vector<Usage> known;
  for (const std::string& usage : usages) known.push_back(ReadUsage(usage));
  Script script;
  script.file = file;
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  script.lines = absl::StrSplit(absl::string_view(text.data(), text.size()), '\n');
  bool takes_output = false;  // the line before was a command, or its output
  for (int number = 1; number <= static_cast<int>(script.lines.size()); ++number) {
    const std::string& line = script.lines[number - 1];
    const auto error = [&](const std::string& complaint) { return ScriptError(file, number, complaint); };
    if (number == 1 && (line.empty() || line[0] != '#')) return error("a script begins with a comment (# …)");
    if (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) return error("a space at the end");
    if (line.empty() || line[0] == '#') {
      takes_output = false;
    } else if (absl::StartsWith(line, std::string(kIndent))) {
      if (!takes_output) return error("output without a command in the line before");
      script.commands.back().expected.push_back(line.substr(kIndent.size()));
    } else if (std::islower(static_cast<unsigned char>(line[0]))) {
      ScriptCommand command;
      command.line = number;
      if (const std::string wrong = ReadCommand(known, line, &command); !wrong.empty()) return error(wrong);
      script.commands.push_back(std::move(command));
      takes_output = true;
    } else {
      return error("neither a command, nor output (four spaces), nor a comment (#), nor empty");
    }
  }
  if (script.commands.empty()) return ScriptError(file, 1, "a script without commands");
  return script;
}

std::string WithOutputs(const Script& script, const std::vector<std::vector<std::string>>& outputs) {
  std::string out;
  size_t next = 0;
  for (int number = 1; number <= static_cast<int>(script.lines.size()); ++number) {
    const std::string& line = script.lines[number - 1];
    if (absl::StartsWith(line, std::string(kIndent))) continue;
    absl::StrAppend(&out, line, "\n");
    if (next == script.commands.size() || script.commands[next].line != number) continue;
    for (const std::string& printed : outputs[next]) absl::StrAppend(&out, std::string(kIndent), printed, "\n");
    ++next;
  }
  return out;
}

std::optional<int64_t> ParseTime(std::string_view word) {
  int64_t ms = 0;
  size_t unit = 0;
  if (word.empty()) return std::nullopt;
  while (!word.empty()) {
    size_t digits = 0;
    while (digits < word.size() && std::isdigit(static_cast<unsigned char>(word[digits]))) ++digits;
    int64_t number = 0;
    if (digits == 0 || digits > 9 || !absl::SimpleAtoi(std::string(word.substr(0, digits)), &number)) {
      return std::nullopt;
    }
    word.remove_prefix(digits);
    size_t letters = 0;
    while (letters < word.size() && std::isalpha(static_cast<unsigned char>(word[letters]))) ++letters;
    while (unit < kUnits.size() && word.substr(0, letters) != kUnits[unit].first) ++unit;
    if (unit == kUnits.size()) return std::nullopt;
    ms += number * kUnits[unit++].second;
    word.remove_prefix(letters);
  }
  return ms;
}

std::optional<int64_t> ParseOffset(std::string_view word) {
  if (word == "0s") return 0;
  if (word.empty() || (word[0] != '+' && word[0] != '-')) return std::nullopt;
  const auto ms = ParseTime(word.substr(1));
  if (!ms) return std::nullopt;
  return word[0] == '-' ? -*ms : *ms;
}

std::string ShowTime(int64_t ms) {
  if (ms == 0) return "0s";
  std::string out = ms < 0 ? "-" : "";
  ms = std::abs(ms);
  for (const auto& [unit, length] : kUnits) {
    if (ms >= length) absl::StrAppend(&out, ms / length, unit);
    ms %= length;
  }
  return out;
}

}  // namespace leasemap::core

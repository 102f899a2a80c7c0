// Plays each script of testdata as a test of its own, and checks that the scripts' language is strict. With
// LEASEMAP_REWRITE_SCRIPTS=1 in the environment what the commands print is written into the scripts instead.
#include "tests/core/script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "tests/core/matchers.h"
#include "tests/core/script_player.h"

namespace leasemap::core {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kRewrite = "LEASEMAP_REWRITE_SCRIPTS";

fs::path PathOf(const std::string& name) { return fs::path(LEASEMAP_SCRIPTS) / (name + ".txt"); }

std::vector<std::string> FindScripts() {
  std::vector<std::string> found;
  std::error_code none;  // a folder that is not there has no scripts
  for (const auto& file : fs::directory_iterator(LEASEMAP_SCRIPTS, none)) {
    if (file.path().extension() == ".txt") found.push_back(file.path().stem().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string ReadFile(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST(Scripts, AreInTheFolder) { EXPECT_FALSE(FindScripts().empty()) << "no *.txt in tests/core/testdata"; }

class ScriptFile : public testing::TestWithParam<std::string> {};

TEST_P(ScriptFile, Plays) {
  const char* rewrite = std::getenv(kRewrite);
  const bool rewrites = rewrite != nullptr && std::string(rewrite) == "1";
  const fs::path path = PathOf(GetParam());
  const std::string text = ReadFile(path);
  const std::string file = "tests/core/testdata/" + path.filename().string();
  const auto script = ParseScript(file, text, ScriptPlayer::Usages());
  ASSERT_THAT(script, IsOk());
  ScriptPlayer player;
  std::vector<std::vector<std::string>> outputs;
  for (const ScriptCommand& command : script->commands) {
    const auto printed = player.Play(command);
    ASSERT_THAT(printed, IsOk()) << ScriptError(file, command.line, std::string(printed.status().message())).message();
    EXPECT_TRUE(rewrites || *printed == command.expected)
        << file << ":" << command.line << ": " << script->lines[command.line - 1] << "\nexpected:\n    "
        << absl::StrJoin(command.expected, "\n    ") << "\nprinted:\n    " << absl::StrJoin(*printed, "\n    ") << "\n("
        << kRewrite << "=1 writes into the scripts what is printed)";
    outputs.push_back(*printed);
  }
  if (const std::string now = WithOutputs(*script, outputs); rewrites && now != text) {
    std::ofstream(path, std::ios::binary) << now;
  }
}

INSTANTIATE_TEST_SUITE_P(Each, ScriptFile, testing::ValuesIn(FindScripts()), [](const auto& script) {
  std::string name = script.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

// --- the language

std::string Complaint(const std::string& body) {
  const auto script = ParseScript("s.txt", "# What it shows.\n" + body, ScriptPlayer::Usages());
  return script.ok() ? "" : std::string(script.status().message());
}

TEST(ScriptLanguage, NamesFileLineAndWhatIsAllowed) {
  EXPECT_EQ(Complaint("add a\nsettle\n"), "");
  EXPECT_THAT(Complaint("\nsett a k v\n"),
              HasSubstr("s.txt:3: no command \"sett a k v\"; there are: add, dial, link, cut"));
  EXPECT_THAT(Complaint("show maps\n"), HasSubstr("show map, show vector"));
  EXPECT_THAT(Complaint("set a k v hodler=b\n"),
              HasSubstr("s.txt:2: no option \"hodler=b\"; usage: set NODE KEY VALUE"));
  EXPECT_THAT(Complaint("set a k v lease=soon\n"), HasSubstr("\"lease=soon\": lease takes TIME"));
  EXPECT_THAT(Complaint("set a k v lease\n"), HasSubstr("\"lease\" is too much"));
  EXPECT_THAT(Complaint("set a k v if_absent=1\n"), HasSubstr("no option \"if_absent=1\""));
  EXPECT_THAT(Complaint("set a k v if_absent if_absent\n"), HasSubstr("if_absent twice"));
  EXPECT_THAT(Complaint("set a k if_absent v\n"), HasSubstr("\"v\" comes after an option"));
  EXPECT_THAT(Complaint("set a k v ack=most\n"), HasSubstr("ack takes local|majority|all|COUNT"));
  EXPECT_EQ(Complaint("set a k v ack=2\n"), "");
  EXPECT_THAT(Complaint("set a k\n"), HasSubstr("VALUE is missing; usage: set"));
  EXPECT_THAT(Complaint("settle now\n"), HasSubstr("\"now\" is too much; usage: settle"));
  EXPECT_THAT(Complaint("tick 5\n"), HasSubstr("\"5\" is no TIME"));
  EXPECT_THAT(Complaint("clock a 5s\n"), HasSubstr("\"5s\" is no OFFSET"));
  EXPECT_THAT(Complaint("cut a\n"), HasSubstr("NODE is missing"));
  EXPECT_EQ(Complaint("cut a b c\nshow map\nshow map a b\nwatch w a kinds=set,lost\n"), "");
  EXPECT_THAT(Complaint("watch w a kinds=set,gone\n"), HasSubstr("kinds takes set|deleted|expired|lost|lease,..."));
}

TEST(ScriptLanguage, IsStrictAboutLines) {
  EXPECT_THAT(Complaint("\n    a line\n"), HasSubstr("s.txt:3: output without a command"));
  EXPECT_THAT(Complaint("settle\n\n    late\n"), HasSubstr("s.txt:4: output without a command"));
  EXPECT_THAT(Complaint("settle \n"), HasSubstr("a space at the end"));
  EXPECT_THAT(Complaint("tick  1s\n"), HasSubstr("one space each"));
  EXPECT_THAT(Complaint("  settle\n"), HasSubstr("neither a command"));
  EXPECT_THAT(Complaint("\tsettle\n"), HasSubstr("neither a command"));
  EXPECT_THAT(Complaint(""), HasSubstr("a script without commands"));
  const auto bare = ParseScript("s.txt", "settle\n", ScriptPlayer::Usages());
  EXPECT_THAT(std::string(bare.status().message()), HasSubstr("s.txt:1: a script begins with a comment"));
}

TEST(ScriptLanguage, TimesAreReadAsTheyAreShown) {
  for (const int64_t ms : {int64_t{0}, int64_t{7}, int64_t{2500}, int64_t{60'000}, int64_t{5'400'001}}) {
    EXPECT_EQ(ParseTime(ShowTime(ms)), ms) << ShowTime(ms);
  }
  EXPECT_EQ(ShowTime(3'599'500), "59m59s500ms");
  EXPECT_EQ(ParseOffset("-1m30s"), -90'000);
  EXPECT_EQ(ParseOffset("+250ms"), 250);
  for (const char* wrong : {"", "1", "s", "1s1h", "1s2s", "-1s", "1.5s", "1d", "9999999999s"}) {
    EXPECT_EQ(ParseTime(wrong), std::nullopt) << wrong;
  }
}

TEST(ScriptLanguage, OutputsAreReplacedAndAllElseStays) {
  const std::string text = "# Why.\n\nadd a\n    old\n    older\n# More.\nsettle\n\ntick 1s\n    x\n";
  const auto script = ParseScript("s.txt", text, ScriptPlayer::Usages());
  ASSERT_THAT(script, IsOk());
  EXPECT_EQ(WithOutputs(*script, {{"old", "older"}, {}, {"x"}}), text);
  EXPECT_EQ(WithOutputs(*script, {{}, {"new"}, {}}), "# Why.\n\nadd a\n# More.\nsettle\n    new\n\ntick 1s\n");
}

TEST(ScriptLanguage, WhatCantBeDoneIsSaid) {
  const auto play = [](const std::string& body) {
    const auto script = ParseScript("s.txt", "# What it shows.\nadd a b\n" + body, ScriptPlayer::Usages());
    ScriptPlayer player;
    std::string said;
    for (const ScriptCommand& command : script->commands) said = std::string(player.Play(command).status().message());
    return said;
  };
  EXPECT_EQ(play("tick 1s\n"), "");
  EXPECT_THAT(play("get c k\n"), HasSubstr("no node \"c\"; there are: a, b"));
  EXPECT_THAT(play("add b\n"), HasSubstr("b is there already"));
  EXPECT_THAT(play("heal a b\n"), HasSubstr("not cut off"));
  EXPECT_THAT(play("kill a\nget a k\n"), HasSubstr("a is down"));
  EXPECT_THAT(play("read w\n"), HasSubstr("no watch \"w\""));
  EXPECT_THAT(play("tick 1s\nresume w a c\n"), HasSubstr("no cursor \"c\""));
  EXPECT_THAT(play("tick 1s\nget a k min_version=first\n"), HasSubstr("no version \"first\""));
}

}  // namespace
}  // namespace leasemap::core

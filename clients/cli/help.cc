#include "clients/cli/help.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "clients/cli/core/columns.h"

namespace leasemap::cli {
namespace {

// As wide as a terminal is at least.
constexpr size_t kLineWidth = 80;
// Where the explanations begin, and how far they may run from there.
constexpr size_t kNameWidth = 24;
constexpr size_t kTextWidth = kLineWidth - kNameWidth;

// `name` on the left and the text beside it; a name that is too wide has a line of its own.
std::string Item(const std::string& name, const std::string& text) {
  std::string out = absl::StrCat("  ", name);
  size_t used = 2 + WidthOf(name);
  if (used + 2 > kNameWidth) {
    out += "\n";
    used = 0;
  }
  for (const std::string& line : Wrap(text, kTextWidth)) {
    absl::StrAppend(&out, std::string(kNameWidth - used, ' '), line, "\n");
    used = 0;
  }
  return out;
}

std::string Paragraph(const std::string& text) { return absl::StrJoin(Wrap(text, kLineWidth), "\n") + "\n"; }

// The text with its paragraphs wrapped. A line that begins with a space stays as it is.
std::string Notes(const std::string& text) {
  std::string out, paragraph;
  const auto end_paragraph = [&out, &paragraph] {
    if (!paragraph.empty()) out += Paragraph(paragraph);
    paragraph.clear();
  };
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!line.empty() && line[0] != ' ') {
      absl::StrAppend(&paragraph, line, " ");
      continue;
    }
    end_paragraph();
    absl::StrAppend(&out, line, "\n");
  }
  end_paragraph();
  return out.empty() ? "" : "\n" + out;
}

// KEY, [PREFIX] or [KEY...], as the usage line has it.
std::string Positional(const CLI::Option& option) {
  const std::string name = option.get_name(true);
  const std::string many = option.get_items_expected_max() > 1 ? "..." : "";
  return option.get_required() ? name + many : absl::StrCat("[", name, many, "]");
}

// `-o, --output FORM`; a flag has no word after it.
std::string Spelled(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  const std::string value = option.get_items_expected_max() == 0 ? "" : " " + option.get_type_name();
  return absl::StrJoin(names, ", ") + value;
}

std::string Options(const CLI::App& app, const std::string& title) {
  std::string out;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() || option == app.get_help_ptr()) continue;
    out += Item(Spelled(*option), option->get_description());
  }
  return out.empty() ? "" : absl::StrCat("\n", title, ":\n", out);
}

std::string Arguments(const CLI::App& command) {
  std::string out;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) out += Item(option->get_name(true), option->get_description());
  }
  return out.empty() ? "" : "\nArguments:\n" + out;
}

std::string Words(const CLI::App& command) {
  std::string words = command.get_name();
  for (const std::string& alias : command.get_aliases()) absl::StrAppend(&words, ", ", alias);
  return words;
}

}  // namespace

std::string HelpFor(const CLI::App& app) {
  std::string out =
      absl::StrCat(Paragraph(app.get_description()), "\nUsage: leasemap [OPTIONS] COMMAND [ARGUMENTS] [OPTIONS]\n");
  std::vector<std::string> groups;
  for (const CLI::App* command : app.get_subcommands({})) {
    if (std::find(groups.begin(), groups.end(), command->get_group()) == groups.end()) {
      groups.push_back(command->get_group());
    }
  }
  for (const std::string& group : groups) {
    absl::StrAppend(&out, "\n", group, ":\n");
    for (const CLI::App* command : app.get_subcommands({})) {
      if (command->get_group() == group) out += Item(Words(*command), command->get_description());
    }
  }
  return absl::StrCat(out, Options(app, "Options, before or after the command"), Notes(app.get_footer()));
}

std::string HelpFor(const CLI::App& app, const CLI::App& command) {
  std::string usage = absl::StrCat("\nUsage: leasemap ", command.get_name(), " [OPTIONS]");
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) absl::StrAppend(&usage, " ", Positional(*option));
  }
  usage += "\n";
  if (!command.get_aliases().empty()) {
    absl::StrAppend(&usage, "Also: leasemap ", absl::StrJoin(command.get_aliases(), ", leasemap "), "\n");
  }
  return absl::StrCat(Paragraph(command.get_description()), usage, Arguments(command), Options(command, "Options"),
                      Options(app, "Options of all commands"), Notes(command.get_footer()));
}

}  // namespace leasemap::cli

#include "clients/cli/core/position.h"

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "clients/cli/core/lines.h"

namespace leasemap::cli {
namespace {

constexpr char kBegin[] = "done ";
constexpr char kEnd[] = " .";  // a line without it is not whole

bool ReadDone(absl::string_view line, v1::Event& event) {
  std::string bytes;
  return absl::ConsumePrefix(&line, kBegin) && absl::ConsumeSuffix(&line, kEnd) && absl::Base64Unescape(line, &bytes) &&
         event.ParseFromString(bytes);
}

}  // namespace

std::string DoneLine(const v1::Event& event) {
  v1::Event bare = event;
  bare.mutable_entry()->clear_value_form();
  bare.clear_winner();
  return absl::StrCat(kBegin, absl::Base64Escape(bare.SerializeAsString()), kEnd, "\n");
}

absl::StatusOr<Position> ReadPosition(std::istream& text) {
  const absl::Status wrong = absl::InvalidArgumentError("holds no cursor");
  Position position;
  std::string line;
  bool whole = true;
  if (!ReadLine(text, line, whole, kLongestCursor)) return text.bad() ? wrong : absl::StatusOr<Position>(position);
  position.cursor = std::string(absl::StripAsciiWhitespace(line));
  const bool blank = !line.empty() && position.cursor.empty();
  if (!whole || blank) return wrong;
  bool torn = false;
  while (ReadLine(text, line, whole, kLongestCursor)) {
    if (line.empty()) continue;
    v1::Event event;
    if (torn || !whole) return wrong;
    torn = !ReadDone(line, event);
    if (!torn) position.done.push_back(std::move(event));
  }
  return text.bad() ? wrong : absl::StatusOr<Position>(std::move(position));
}

}  // namespace leasemap::cli

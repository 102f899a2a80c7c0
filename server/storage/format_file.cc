#include "server/storage/format_file.h"

#include <array>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "peer/core/data/bytes.h"

namespace leasemap::storage {
namespace {

constexpr char kTitle[] = "leasemap data directory";
constexpr std::array kMaps = {std::pair{Format::Map::kNew, "new"}, std::pair{Format::Map::kGood, "good"},
                              std::pair{Format::Map::kLost, "lost"}};

std::string Checksum(std::string_view text) {
  return absl::StrCat("checksum ", absl::Hex(core::Hash64(text), absl::kZeroPad16), "\n");
}

absl::Status Damaged(const char* what) { return absl::DataLossError(absl::StrCat("FORMAT ", what)); }

}  // namespace

std::string FormatText(const Format& format) {
  std::string text =
      absl::StrCat(kTitle, "\nformat ", kFormat, "\nnode-id ", format.node_id, "\ncluster ", format.cluster, "\nmap ");
  for (const auto& [map, word] : kMaps) {
    if (map == format.map) absl::StrAppend(&text, word, "\n");
  }
  return text + Checksum(text);
}

absl::StatusOr<Format> ParseFormat(std::string_view text) {
  std::map<std::string, std::string> lines;
  for (const absl::string_view line : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    const std::pair<std::string, std::string> both = absl::StrSplit(line, absl::MaxSplits(' ', 1));
    lines.insert(both);
  }
  if (!text.starts_with(kTitle)) return Damaged("does not begin as such a file does");
  // Before its checksum, which a later format may have otherwise.
  uint32_t number = 0;
  if (!absl::SimpleAtoi(lines["format"], &number)) return Damaged("names no format");
  if (number < kOldestFormat || number > kFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat("it has format ", number, "; this version reads ", kOldestFormat, " to ", kFormat));
  }
  const size_t end = text.rfind("checksum ");
  if (end == std::string_view::npos || text.substr(end) != Checksum(text.substr(0, end))) {
    return Damaged("is not as it was written: its checksum is another one");
  }
  Format format{lines["node-id"], lines["cluster"], {}};
  for (const auto& [map, word] : kMaps) {
    if (lines["map"] != word) continue;
    format.map = map;
    return format;
  }
  return Damaged("does not say how the map is");
}

}  // namespace leasemap::storage

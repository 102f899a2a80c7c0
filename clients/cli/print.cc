#include "clients/cli/print.h"

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "clients/cli/core/columns.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/show.h"
#include "clients/cli/core/text.h"
#include "clients/cli/terminal.h"
#include "google/protobuf/util/json_util.h"

namespace leasemap::cli {
namespace {

// The columns of a value that `ls -l` shows without a terminal, and the least on a narrow one.
constexpr size_t kValueWidth = 40;
constexpr size_t kLeastValueWidth = 12;

Color ColorOf(v1::Event::Kind kind) {
  switch (kind) {
    case v1::Event::KIND_SET:
      return Color::kGreen;
    case v1::Event::KIND_DELETED:
      return Color::kRed;
    case v1::Event::KIND_EXPIRED:
      return Color::kYellow;
    case v1::Event::KIND_LEASE:
      return Color::kFaint;
    default:
      return Color::kMagenta;
  }
}

// The time of the event: the end of the lease for a lapse, the time of the write for all others. A key that vanished
// between two snapshots has none.
std::string TimeOfEvent(const v1::Event& event) {
  const v1::Entry& entry = event.entry();
  if (event.kind() == v1::Event::KIND_EXPIRED) return ShowMoment(entry.lease().expire_time());
  return entry.has_update_time() ? ShowMoment(entry.update_time()) : "-";
}

bool HasValue(const v1::Entry& entry) { return entry.value_form_case() != v1::Entry::VALUE_FORM_NOT_SET; }

}  // namespace

std::string ShortName(const std::string& name, const std::string& prefix) {
  return std::string(absl::StripPrefix(name, prefix));
}

void PrintTable(Columns& columns, const std::vector<Columns::Row>& rows, bool heading) {
  bool bold = heading;
  for (const std::string& line : columns.Lines(rows)) {
    std::cout << (bold ? Paint(Stream::kOut, Color::kBold, line) : line) << "\n";
    bold = false;
  }
}

void PrintJson(const google::protobuf::Message& message, bool zeros) {
  google::protobuf::util::JsonPrintOptions form;
  form.preserve_proto_field_names = true;
  form.always_print_primitive_fields = zeros;
  std::string json;
  // Fails only for messages that cannot come from a parsed answer (an Any of unknown type, a time out of range).
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, form);
  if (status.ok()) {
    std::cout << json << "\n";
  } else {
    Complain() << "cannot show an answer as JSON: " << status.ToString() << "\n";
  }
}

void PrintValue(const v1::Entry& entry) {
  std::cout << ValueOf(entry);
  if (!entry.has_value_bytes()) std::cout << "\n";
}

void PrintListed(const v1::Entry& entry) {
  std::cout << Escape(KeyOf(entry));
  if (HasValue(entry)) std::cout << "\t" << Escape(ValueOf(entry));
  std::cout << "\n";
}

void PrintMeta(const v1::Entry& entry, absl::Time now) {
  static Columns columns;
  std::vector<Columns::Row> rows;
  for (const auto& [name, text] : Meta(entry, now)) rows.push_back({"  " + name, text});
  PrintTable(columns, rows, false);
}

void LongList::Print(const google::protobuf::RepeatedPtrField<v1::Entry>& entries, size_t count, absl::Time now) {
  std::vector<Columns::Row> rows;
  const bool heading = !started_;
  if (heading) rows.push_back({"KEY", "VALUE", "HOLDER", "LEFT", "VERSION"});
  for (size_t i = 0; i < count; ++i) {
    const v1::Entry& entry = entries[static_cast<int>(i)];
    const std::string left = ShowLeft(entry, now);
    rows.push_back({Escape(KeyOf(entry)), Escape(ValueOf(entry)), left == "-" ? "-" : Escape(entry.lease().holder()),
                    left + (entry.ephemeral() ? ", ephemeral" : ""), Escape(entry.version())});
  }
  if (heading) value_width_ = RoomForValues(rows);
  started_ = true;
  for (Columns::Row& row : rows) {
    if (keys_only_) {
      row.erase(row.begin() + 1);
    } else {
      row[1] = Cut(row[1], value_width_);
    }
  }
  PrintTable(columns_, rows, heading);
}

size_t LongList::RoomForValues(const std::vector<Columns::Row>& rows) {
  const size_t line_width = TerminalWidth();
  if (line_width == 0) return kValueWidth;
  size_t others = 0;
  for (const size_t column : {0, 2, 3, 4}) {
    size_t widest = 0;
    for (const Columns::Row& row : rows) widest = std::max(widest, WidthOf(row[column]));
    others += widest + 2;
  }
  return std::max(line_width - std::min(line_width, others), kLeastValueWidth);
}

void PrintWritten(const v1::Entry& entry) {
  std::cout << Escape(KeyOf(entry)) << ": ";
  const absl::Duration left = absl::Trunc(LeaseAsked(entry) + absl::Milliseconds(500), absl::Seconds(1));
  if (entry.deleted()) {
    std::cout << "deleted";
  } else if (left == absl::ZeroDuration()) {
    std::cout << "no lease";
  } else {
    std::cout << "leased by " << Escape(entry.lease().holder()) << " for " << absl::FormatDuration(left);
  }
  std::cout << (entry.version().empty() ? ", not written" : ", version " + Escape(entry.version())) << "\n";
}

void PrintEvent(const v1::Event& event) {
  const v1::Entry& entry = event.entry();
  const std::string& holder = entry.lease().holder();
  const std::string kind = ShortName(v1::Event::Kind_Name(event.kind()), "KIND_");
  std::cout << Paint(Stream::kOut, Color::kFaint, TimeOfEvent(event)) << " "
            << (holder.empty() ? "-" : EscapeWord(holder)) << " " << Paint(Stream::kOut, ColorOf(event.kind()), kind)
            << " " << EscapeWord(KeyOf(entry));
  if (HasValue(entry)) std::cout << " " << Escape(ValueOf(entry));
  std::cout << "\n";
}

}  // namespace leasemap::cli

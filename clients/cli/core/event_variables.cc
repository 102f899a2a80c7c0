#include "clients/cli/core/event_variables.h"

#include "absl/strings/strip.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/text.h"

namespace leasemap::cli {
namespace {

bool HasNul(const std::string& text) { return text.find('\0') != std::string::npos; }

std::optional<std::string> IfAny(const std::string& text) {
  if (text.empty() || text.size() > kLongestVariable) return std::nullopt;
  return text;
}

}  // namespace

Variables VariablesOf(const v1::Event& event, const std::string& cursor) {
  const v1::Entry& entry = event.entry();
  const std::string& key = KeyOf(entry);
  std::optional<std::string> value;
  if (entry.value_form_case() != v1::Entry::VALUE_FORM_NOT_SET) value = ValueOf(entry);
  if (value && (HasNul(*value) || value->size() > kLongestVariable)) value.reset();
  const std::string kind = v1::Event::Kind_Name(event.kind());
  return {{"LEASEMAP_EVENT_KIND", std::string(absl::StripPrefix(kind, "KIND_"))},
          {"LEASEMAP_EVENT_KEY", HasNul(key) ? Escape(key) : key},
          {"LEASEMAP_EVENT_VALUE", value},
          {"LEASEMAP_EVENT_VERSION", IfAny(entry.version())},
          {"LEASEMAP_EVENT_HOLDER", IfAny(entry.lease().holder())},
          {"LEASEMAP_EVENT_FENCING_TOKEN", IfAny(entry.lease().fencing_token())},
          {"LEASEMAP_EVENT_CURSOR", IfAny(cursor)}};
}

}  // namespace leasemap::cli

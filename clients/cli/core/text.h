// Shows bytes on a terminal: the ones that it should not see are escaped. Reads them back.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_TEXT_H_
#define LEASEMAP_CLIENTS_CLI_CORE_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace leasemap::cli {

// The bytes on one line: printable UTF-8 (text::IsPrintable) as it is, backslash as \\, tab, newline and carriage
// return as \t \n \r, all other bytes as \xNN. Unescape undoes it.
std::string Escape(std::string_view bytes);

// As Escape, and the space as \x20: for a word that ends at the next space.
std::string EscapeWord(std::string_view bytes);

// The bytes that were escaped. InvalidArgument for a backslash that starts none of the forms above.
absl::StatusOr<std::string> Unescape(std::string_view text);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_TEXT_H_

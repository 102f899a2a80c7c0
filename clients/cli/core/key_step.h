// Completes keys as a shell completes files: up to the next slash, with few questions to a node. It also says which
// keys may stand on a command line as they are.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_KEY_STEP_H_
#define LEASEMAP_CLIENTS_CLI_CORE_KEY_STEP_H_

#include <string>
#include <string_view>

namespace leasemap::cli {

// What a key that begins with `typed` is shown as: the key, or its beginning up to the first slash after `typed`.
std::string KeyStep(std::string_view key, std::string_view typed);

// The first key that may come after all keys of the step, in the order of bytes. A step that ends with a slash is
// that of all keys that begin with it.
std::string AfterStep(std::string_view step);

// Whether no shell takes any of it for more than text. Keys are anybody's: one like `$(reboot)` must never come to a
// command line.
bool IsPlainWord(std::string_view word);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_KEY_STEP_H_

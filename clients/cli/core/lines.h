// Reads a text line by line, and holds no more of a line than a bound.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_LINES_H_
#define LEASEMAP_CLIENTS_CLI_CORE_LINES_H_

#include <cstddef>
#include <istream>
#include <string>

namespace leasemap::cli {

// Room for a value of 1 MiB whose every byte is escaped in JSON by six, and for its key.
constexpr size_t kLongestLine = 16 << 20;

// Puts the next line, without its newline, into `line`; false after the last one. Of a line that is longer than
// `longest` the rest is skipped, and `whole` is false. Where reading fails the text ends, and the stream is bad.
bool ReadLine(std::istream& input, std::string& line, bool& whole, size_t longest = kLongestLine);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_LINES_H_

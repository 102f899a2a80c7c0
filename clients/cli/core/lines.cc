#include "clients/cli/core/lines.h"

#include <streambuf>

namespace leasemap::cli {

namespace {

using Traits = std::istream::traits_type;

// The next byte, or the end. A stream buffer throws where reading fails, as of a directory: then the stream is bad.
Traits::int_type Next(std::istream& input) {
  try {
    return input.rdbuf()->sbumpc();
  } catch (const std::ios_base::failure&) {
    input.setstate(std::ios_base::badbit);
    return Traits::eof();
  }
}

}  // namespace

bool ReadLine(std::istream& input, std::string& line, bool& whole, size_t longest) {
  line.clear();
  whole = true;
  Traits::int_type next = Next(input);
  if (Traits::eq_int_type(next, Traits::eof())) return false;
  for (; !Traits::eq_int_type(next, Traits::eof()); next = Next(input)) {
    const char c = Traits::to_char_type(next);
    if (c == '\n') break;
    if (line.size() < longest) {
      line += c;
    } else {
      whole = false;
    }
  }
  return true;
}

}  // namespace leasemap::cli

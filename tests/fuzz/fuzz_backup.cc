// Any bytes, in any pieces, as a backup file: records come, or an error, and after the end no more.
#include <cstdint>
#include <cstdlib>

#include "protos/backup_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t step = 1 + data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  leasemap::BackupParser parser;
  for (size_t at = 0; at < bytes.size(); at += step) {
    parser.Add(bytes.substr(at, step));
    for (;;) {
      const bool complete = parser.complete();
      const auto record = parser.Next();
      if (!record.ok()) return 0;
      if (!*record) break;
      if (complete) std::abort();
    }
  }
  return 0;
}

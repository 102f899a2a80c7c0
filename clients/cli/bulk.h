// Many Sets, one a line of some input for `batch` and `import`, or one an entry of a backup for `restore`. They are
// sent as they come, a chunk at a time; one that cannot be read or is refused is reported, and the others go on.
#ifndef LEASEMAP_CLIENTS_CLI_BULK_H_
#define LEASEMAP_CLIENTS_CLI_BULK_H_

#include <cstdint>
#include <functional>
#include <istream>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "clients/cli/connection.h"
#include "clients/cli/core/batch_input.h"
#include "clients/cli/progress.h"

namespace leasemap::cli {

class Bulk {
 public:
  using Parse = std::function<absl::StatusOr<v1::SetRequest>(std::string_view line)>;

  // With `skip_existing` a key that exists already is counted, and is no failure (the requests say if_absent). `what`
  // is counted by the numbers in messages.
  Bulk(Connection& connection, bool skip_existing, std::string what = "line");

  // Reads to the end of the input, prints how many were set, and returns the exit code.
  int Run(std::istream& input, const Parse& parse);
  // The same for requests that are made already: each of them, and then the end. Another exit code than kDone from Add:
  // a call failed as a whole.
  int Add(size_t number, const v1::SetRequest& request);
  int End();

 private:
  int AddLine(size_t number, const std::string& line, const Parse& parse);
  int Send();
  void Take(const v1::BatchSetResponse& response);
  void Fail(size_t line, const std::string& key, const std::string& reason, const std::string& message);
  void Summarize();

  Connection& connection_;
  const bool skip_existing_;
  const std::string what_;
  Progress progress_;
  Chunk chunk_;
  uint64_t set_ = 0;
  uint64_t failed_ = 0;
  uint64_t skipped_ = 0;
};

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_BULK_H_

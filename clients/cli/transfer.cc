// `leasemap export` and `leasemap import`: the map, or a part of it, as JSON lines and back. Both stream: neither holds
// more than a page or a chunk.
#include <fstream>
#include <iostream>
#include <string_view>

#include "absl/time/clock.h"
#include "clients/cli/bulk.h"
#include "clients/cli/commands.h"
#include "clients/cli/core/export_line.h"
#include "clients/cli/core/request.h"
#include "clients/cli/progress.h"
#include "clients/cli/terminal.h"

namespace leasemap::cli {
namespace {

// The most that one page of List can hold.
constexpr int32_t kPageSize = 1000;

}  // namespace

int Export(Connection& connection) {
  v1::ListRequest request;
  if (connection.options().prefix) PutPrefix(*connection.options().prefix, request);
  request.set_page_size(kPageSize);
  Progress progress("keys exported");
  uint64_t count = 0;
  do {
    v1::ListResponse page;
    const grpc::Status status = connection.Try(&v1::KeyValue::Stub::List, request, page);
    if (!status.ok()) {
      progress.Clear();
      const int exit_code = connection.Report(status);
      if (count > 0) Complain() << "the export is not complete: it ends after " << count << " keys; start it again\n";
      return exit_code;
    }
    for (const v1::Entry& entry : page.entries()) std::cout << ExportLine(entry) << "\n";
    count += static_cast<uint64_t>(page.entries_size());
    progress.Show(count);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && std::cout.flush());
  return kDone;
}

int Import(Connection& connection) {
  const Options& options = connection.options();
  ImportRules rules;
  (options.holder_given ? rules.holder : rules.otherwise) = options.holder;
  rules.lease = options.lease;
  rules.if_absent = options.if_absent;
  const auto parse = [&rules](std::string_view line) { return ParseExportLine(line, rules, absl::Now()); };
  Bulk bulk(connection, options.if_absent);
  if (!options.file.empty() && options.file != "-") {
    std::ifstream file(options.file, std::ios::binary);
    if (file.peek(); !file && !file.eof()) {
      Complain() << "the file " << options.file << " cannot be read; name one that `leasemap export` wrote\n";
      return kWrongUse;
    }
    file.clear();
    return bulk.Run(file, parse);
  }
  if (options.file.empty() && IsTerminal(Stream::kIn)) {
    Complain() << "nothing to import: name a file, or redirect standard input, as in `leasemap import < FILE`\n";
    return kWrongUse;
  }
  return bulk.Run(std::cin, parse);
}

}  // namespace leasemap::cli

// `leasemap batch`: many Sets from standard input, which somebody writes by hand or by a script.
#include <iostream>
#include <string_view>

#include "clients/cli/bulk.h"
#include "clients/cli/commands.h"
#include "clients/cli/core/batch_input.h"
#include "clients/cli/core/request.h"

namespace leasemap::cli {

int Batch(Connection& connection) {
  v1::SetRequest defaults;
  defaults.set_holder(connection.options().holder);
  if (connection.options().lease) PutDuration(*connection.options().lease, *defaults.mutable_lease_duration());
  return Bulk(connection, false).Run(std::cin, [&defaults](std::string_view line) {
    return ParseBatchLine(line, defaults);
  });
}

}  // namespace leasemap::cli

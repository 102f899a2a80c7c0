// `leasemap batch`: many Sets from standard input. Lines are sent as they come, a chunk at a time; a line that cannot
// be read or is refused is reported and the others go on.
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "clients/cli/commands.h"
#include "clients/cli/core/batch_input.h"
#include "clients/cli/core/request.h"
#include "clients/cli/print.h"
#include "clients/cli/terminal.h"
#include "google/protobuf/struct.pb.h"

namespace leasemap::cli {
namespace {

class BatchRun {
 public:
  explicit BatchRun(Connection& connection) : connection_(connection) {}

  int Run() {
    v1::SetRequest defaults;
    defaults.set_holder(connection_.options().holder);
    if (connection_.options().lease) {
      PutDuration(*connection_.options().lease, *defaults.mutable_lease_duration());
    }
    std::string line;
    for (size_t number = 1; std::getline(std::cin, line); ++number) {
      if (line.empty() || line == "\r") continue;
      const absl::StatusOr<v1::SetRequest> request = ParseBatchLine(line, defaults);
      if (!request.ok()) {
        Fail(number, "", "", std::string(request.status().message()));
        continue;
      }
      if (chunk_.Add(number, *request)) continue;
      if (const int exit_code = Send(); exit_code != kDone) return exit_code;
      chunk_.Add(number, *request);
    }
    if (const int exit_code = Send(); exit_code != kDone) return exit_code;
    Summarize();
    return failed_ > 0 ? kRefused : kDone;
  }

 private:
  // Sends the chunk and reports the items that were refused. Another exit code than kDone: the whole call failed.
  int Send() {
    if (chunk_.items().empty()) return kDone;
    v1::BatchSetRequest request;
    for (const Chunk::Item& item : chunk_.items()) *request.add_requests() = item.request;
    v1::BatchSetResponse response;
    const grpc::Status status =
        connection_.Try(connection_.key_value(), &v1::KeyValue::Stub::BatchSet, request, response);
    // gRPC itself refuses what is larger than any request may be: that is of one line alone, since chunks are small.
    if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED && ReasonOf(status).empty() &&
        chunk_.items().size() == 1) {
      Fail(chunk_.items().front().line, KeyOf(chunk_.items().front().request), "VALUE_TOO_LARGE",
           absl::StrCat("too large for one request (", status.error_message(), ")"));
      chunk_.Clear();
      return kDone;
    }
    if (const int exit_code = status.ok() ? kDone : connection_.Report(status); exit_code != kDone) {
      Complain() << "the lines before line " << chunk_.items().front().line << " are done; lines "
                 << chunk_.items().front().line << " to " << chunk_.items().back().line << " may be or not\n";
      Summarize();
      return exit_code;
    }
    for (size_t i = 0; i < chunk_.items().size(); ++i) {
      const Chunk::Item& item = chunk_.items()[i];
      if (static_cast<int>(i) >= response.results_size()) {
        Fail(item.line, KeyOf(item.request), "", "the node did not answer for this item");
      } else if (const v1::ItemStatus& status = response.results(static_cast<int>(i)).status(); status.code() != 0) {
        Fail(item.line, KeyOf(item.request), status.reason(), status.message());
      } else {
        ++set_;
      }
    }
    chunk_.Clear();
    return kDone;
  }

  void Fail(size_t line, const std::string& key, const std::string& reason, const std::string& message) {
    ++failed_;
    Complain() << "line " << line << ": " << message << "\n";
    if (!connection_.options().json) return;
    google::protobuf::Struct object;
    auto& fields = *object.mutable_fields();
    fields["line"].set_number_value(static_cast<double>(line));
    if (!key.empty()) fields["key"].set_string_value(IsUtf8(key) ? key : Escape(key));
    if (!reason.empty()) fields["reason"].set_string_value(reason);
    fields["message"].set_string_value(message);
    PrintJson(object);
  }

  void Summarize() {
    if (connection_.options().json) {
      google::protobuf::Struct object;
      (*object.mutable_fields())["set"].set_number_value(static_cast<double>(set_));
      (*object.mutable_fields())["failed"].set_number_value(static_cast<double>(failed_));
      PrintJson(object);
    } else {
      std::cout << set_ << " set, " << failed_ << " failed\n";
    }
  }

  Connection& connection_;
  Chunk chunk_;
  uint64_t set_ = 0;
  uint64_t failed_ = 0;
};

}  // namespace

int Batch(Connection& connection) { return BatchRun(connection).Run(); }

}  // namespace leasemap::cli

#include "clients/cli/bulk.h"

#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cli/core/lines.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/text.h"
#include "clients/cli/print.h"
#include "clients/cli/terminal.h"
#include "google/protobuf/struct.pb.h"
#include "text/utf8.h"

namespace leasemap::cli {

Bulk::Bulk(Connection& connection, bool skip_existing, std::string what)
    : connection_(connection), skip_existing_(skip_existing), what_(std::move(what)), progress_("keys written") {}

int Bulk::Run(std::istream& input, const Parse& parse) {
  std::string line;
  bool whole = true;
  for (size_t number = 1; ReadLine(input, line, whole); ++number) {
    if (!whole) {
      Fail(number, "", "", absl::StrCat("longer than ", kLongestLine >> 20, " MiB"));
    } else if (const int exit_code = AddLine(number, line, parse); exit_code != kDone) {
      return exit_code;
    }
  }
  const int exit_code = End();
  if (!input.bad()) return exit_code;
  Complain() << "the input cannot be read to its end; is it a file?\n";
  return kWrongUse;
}

int Bulk::End() {
  if (const int exit_code = Send(); exit_code != kDone) return exit_code;
  Summarize();
  return failed_ > 0 ? kRefused : kDone;
}

// Another exit code than kDone: a call failed as a whole.
int Bulk::AddLine(size_t number, const std::string& line, const Parse& parse) {
  if (line.empty() || line == "\r") return kDone;
  const absl::StatusOr<v1::SetRequest> request = parse(line);
  if (!request.ok()) {
    Fail(number, "", "", std::string(request.status().message()));
    return kDone;
  }
  return Add(number, *request);
}

int Bulk::Add(size_t number, const v1::SetRequest& request) {
  if (chunk_.Add(number, request)) return kDone;
  if (const int exit_code = Send(); exit_code != kDone) return exit_code;
  chunk_.Add(number, request);
  return kDone;
}

// Sends the chunk and reports the items that were refused. Another exit code than kDone: the whole call failed.
int Bulk::Send() {
  if (chunk_.items().empty()) return kDone;
  v1::BatchSetRequest request;
  for (const Chunk::Item& item : chunk_.items()) *request.add_requests() = item.request;
  v1::BatchSetResponse response;
  const grpc::Status status = connection_.Try(&v1::KeyValue::Stub::BatchSet, request, response);
  const size_t first = chunk_.items().front().line, last = chunk_.items().back().line;
  // gRPC itself refuses a request above its limit: it has one line alone, since other chunks are small.
  if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED && ReasonOf(status).empty() && first == last) {
    Fail(first, KeyOf(chunk_.items().front().request), "VALUE_TOO_LARGE",
         absl::StrCat("too large for one request (", status.error_message(), ")"));
  } else if (!status.ok()) {
    progress_.Clear();
    const int exit_code = connection_.Report(status);
    Complain() << "the " << what_ << "s before " << what_ << " " << first << " are done; " << what_ << "s " << first
               << " to " << last << " may be done or not\n";
    Summarize();
    return exit_code;
  } else {
    Take(response);
  }
  chunk_.Clear();
  progress_.Show(set_);
  return kDone;
}

void Bulk::Take(const v1::BatchSetResponse& response) {
  for (size_t i = 0; i < chunk_.items().size(); ++i) {
    const Chunk::Item& item = chunk_.items()[i];
    if (static_cast<int>(i) >= response.results_size()) {
      Fail(item.line, KeyOf(item.request), "", "the node did not answer for this line");
      continue;
    }
    const v1::ItemStatus& status = response.results(static_cast<int>(i)).status();
    if (status.code() == 0) {
      ++set_;
    } else if (skip_existing_ && status.reason() == "VERSION_MISMATCH") {
      ++skipped_;
    } else {
      Fail(item.line, KeyOf(item.request), status.reason(), status.message());
    }
  }
}

void Bulk::Fail(size_t line, const std::string& key, const std::string& reason, const std::string& message) {
  ++failed_;
  progress_.Clear();
  Complain() << what_ << " " << line << ": " << message << "\n";
  if (!connection_.options().json) return;
  google::protobuf::Struct object;
  auto& fields = *object.mutable_fields();
  fields["line"].set_number_value(static_cast<double>(line));
  if (!key.empty()) fields["key"].set_string_value(text::IsUtf8(key) ? key : Escape(key));
  if (!reason.empty()) fields["reason"].set_string_value(reason);
  fields["message"].set_string_value(message);
  PrintJson(object);
}

void Bulk::Summarize() {
  progress_.Clear();
  if (connection_.options().json) {
    google::protobuf::Struct object;
    auto& fields = *object.mutable_fields();
    fields["set"].set_number_value(static_cast<double>(set_));
    fields["failed"].set_number_value(static_cast<double>(failed_));
    if (skip_existing_) fields["skipped"].set_number_value(static_cast<double>(skipped_));
    PrintJson(object);
    return;
  }
  std::cout << set_ << " set, " << failed_ << " failed";
  if (skip_existing_) std::cout << ", " << skipped_ << " there already";
  std::cout << "\n";
}

}  // namespace leasemap::cli

// `leasemap del`: one key, several, or all with a prefix. Several Deletes are under way at a time, and their answers
// are shown in the order of the keys.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <deque>
#include <iostream>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "clients/cli/commands.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/text.h"
#include "clients/cli/print.h"
#include "clients/cli/terminal.h"
#include "google/protobuf/struct.pb.h"

namespace leasemap::cli {
namespace {

// The most Deletes under way at once: enough to hide the way to a node far away, and small for any node.
constexpr size_t kWindow = 64;
constexpr int32_t kPageSize = 1000;

class Deletions {
 public:
  explicit Deletions(Connection& connection) : connection_(connection) {
    request_.set_holder(connection.options().holder);
    request_.set_if_version(connection.options().if_version);
    // A key with the prefix may be deleted by somebody else meanwhile.
    request_.set_allow_missing(connection.options().allow_missing || OfPrefix());
    request_.set_ack(connection.options().ack);
    request_.set_ack_nodes(connection.options().ack_nodes);
    request_.set_request_id(connection.options().request_id);
  }

  int Run() {
    connection_.Settle();
    const int exit_code = OfPrefix() ? AddPrefix() : AddKeys();
    while (!calls_.empty()) TakeOldest();
    const bool nothing = exit_code != kDone && deleted_ == 0 && failed_ == 0;
    if (OfPrefix() && !nothing) Summarize();
    if (exit_code != kDone) return exit_code;
    return exit_code_;
  }

 private:
  struct Call {
    std::string key;
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::DeleteResponse>> reader;
    v1::DeleteResponse response;
    grpc::Status status;
    bool done = false;
  };

  bool OfPrefix() const { return connection_.options().prefix.has_value(); }
  bool IsCutOff() const { return exit_code_ == kUnreachable; }

  int AddKeys() {
    for (const std::string& key : connection_.options().keys) {
      if (!IsCutOff()) Add(key);
    }
    return kDone;
  }

  // Adds the keys page by page. Another exit code than kDone: the list failed.
  int AddPrefix() {
    v1::ListRequest request;
    PutPrefix(*connection_.options().prefix, request);
    request.set_keys_only(true);
    request.set_page_size(kPageSize);
    do {
      v1::ListResponse page;
      const int exit_code = connection_.Call(&v1::KeyValue::Stub::List, request, page);
      if (exit_code != kDone) return exit_code;
      for (const v1::Entry& entry : page.entries()) {
        if (!IsCutOff()) Add(KeyOf(entry));
      }
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty() && !IsCutOff());
    return kDone;
  }

  void Add(const std::string& key) {
    if (calls_.size() >= kWindow) TakeOldest();
    auto call = std::make_unique<Call>();
    call->key = key;
    call->context.set_deadline(absl::ToChronoTime(absl::Now() + connection_.options().timeout));
    PutKey(key, request_);
    call->reader = connection_.key_value().AsyncDelete(&call->context, request_, &queue_);
    call->reader->Finish(&call->response, &call->status, call.get());
    calls_.push_back(std::move(call));
  }

  // Waits for the answer to the oldest call; its deadline bounds that. Other answers that come before are kept.
  void TakeOldest() {
    void* tag = nullptr;
    bool ok = false;
    while (!calls_.front()->done && queue_.Next(&tag, &ok)) static_cast<Call*>(tag)->done = true;
    Call& call = *calls_.front();
    const auto code = static_cast<absl::StatusCode>(call.status.error_code());
    const bool safe = IsSafeToRepeat(request_);
    if (connection_.server_count() > 1 && !call.status.ok() && MayAskAnother(code, ReasonOf(call.status), safe)) {
      PutKey(call.key, request_);
      call.status = connection_.Try(&v1::KeyValue::Stub::Delete, request_, call.response);
    }
    Show(call);
    calls_.pop_front();
  }

  void Show(const Call& call) {
    if (!call.status.ok()) {
      ++failed_;
      // One report of an unreachable node is enough.
      if (IsCutOff() && IsUnreachable(call.status)) return;
      exit_code_ = std::max(exit_code_, connection_.Report(call.status));
      const bool several = OfPrefix() || connection_.options().keys.size() > 1;
      if (several && IsCutOff()) {
        Complain() << "the keys before \"" << Escape(call.key)
                   << "\" are done; this key and those after it may be done or not\n";
      }
      return;
    }
    if (!call.response.has_entry()) return;
    ++deleted_;
    if (OfPrefix()) return;
    connection_.options().json ? PrintJson(call.response.entry()) : PrintWritten(call.response.entry());
  }

  void Summarize() const {
    if (connection_.options().json) {
      google::protobuf::Struct object;
      (*object.mutable_fields())["deleted"].set_number_value(static_cast<double>(deleted_));
      (*object.mutable_fields())["failed"].set_number_value(static_cast<double>(failed_));
      PrintJson(object);
      return;
    }
    std::cout << deleted_ << " deleted";
    if (failed_ > 0) std::cout << ", " << failed_ << " failed";
    std::cout << "\n";
  }

  Connection& connection_;
  v1::DeleteRequest request_;  // carries what all Deletes share
  grpc::CompletionQueue queue_;
  std::deque<std::unique_ptr<Call>> calls_;  // under way or not shown yet, in the order of the keys
  uint64_t deleted_ = 0;
  uint64_t failed_ = 0;
  int exit_code_ = kDone;  // the worst so far
};

}  // namespace

int Delete(Connection& connection) { return Deletions(connection).Run(); }

}  // namespace leasemap::cli

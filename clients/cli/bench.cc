// `leasemap bench`: measures how fast a node answers, and shows the latencies as a histogram. Closed loop: some calls
// are always under way. Open loop: calls are due at a rate (core/pace.h).
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "clients/cli/commands.h"
#include "clients/cli/core/histogram.h"
#include "clients/cli/core/pace.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/text.h"
#include "clients/cli/print.h"
#include "clients/cli/terminal.h"
#include "google/protobuf/struct.pb.h"

namespace leasemap::cli {
namespace {

// With a rate: more calls under way than this mean that the node does not keep up, whatever the rate. One
// connection may have as many.
constexpr uint64_t kUnderWayMost = 3000;
constexpr size_t kBatchMost = 1000;                  // keys, as a node takes them
constexpr size_t kBatchBytesMost = 4 << 20;          // half of what it takes
constexpr absl::Duration kAfter = absl::Minutes(1);  // the lease ends this long after the run
constexpr size_t kBarWidth = 40;

class BenchRun {
 public:
  explicit BenchRun(Connection& connection)
      : connection_(connection),
        bench_(connection.options().bench),
        holder_(connection.options().holder_given ? connection.options().holder : absl::StrCat("bench-", getpid())),
        value_(bench_.value_size, 'x') {}

  int Run() {
    if (const int code = WriteKeys(); code != kDone) return code;
    const absl::Time begin = absl::Now();
    Pace pace(bench_.rate, bench_.rate > 0 ? kUnderWayMost : bench_.concurrency, begin, begin + bench_.duration);
    for (absl::Time now = begin; !pace.Over(now) || pace.under_way() > 0; now = absl::Now()) {
      while (const std::optional<absl::Time> due = pace.Take(absl::Now())) Send(*due, pace.sent());
      TakeAnswers(pace);
    }
    const absl::Duration took = absl::Now() - begin;
    connection_.options().json ? ShowJson(pace, took) : Show(pace, took);
    const int code = DeleteKeys();
    return failed_ > 0 ? static_cast<int>(kRefused) : code;
  }

 private:
  struct Call {
    absl::Time due;
    grpc::ClientContext context;
    grpc::Status status;
    v1::GetResponse got;
    v1::SetResponse set;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::GetResponse>> get_reader;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::SetResponse>> set_reader;
  };

  std::string KeyAt(uint64_t number) const { return absl::StrFormat("%s%s/%06d", bench_.prefix, holder_, number); }

  // Ephemeral, so that they vanish even if this program is killed.
  v1::SetRequest SetAt(uint64_t number) const {
    v1::SetRequest request;
    PutKey(KeyAt(number), request);
    request.set_value(value_);
    request.set_holder(holder_);
    request.set_on_lapse(v1::ON_LAPSE_DELETE);
    PutDuration(bench_.duration + kAfter, *request.mutable_lease_duration());
    return request;
  }

  int WriteKeys() {
    const uint64_t at_once = std::clamp<uint64_t>(kBatchBytesMost / (bench_.value_size + 1), 1, kBatchMost);
    for (uint64_t first = 0; first < bench_.keys; first += at_once) {
      v1::BatchSetRequest request;
      v1::BatchSetResponse response;
      for (uint64_t i = first; i < std::min(bench_.keys, first + at_once); ++i) *request.add_requests() = SetAt(i);
      if (const int code = connection_.Call(&v1::KeyValue::Stub::BatchSet, request, response); code != kDone)
        return code;
      for (const v1::BatchResult& result : response.results()) {
        if (result.status().code() == 0) continue;
        Complain() << result.status().message() << "\n";
        return kRefused;
      }
    }
    return kDone;
  }

  int DeleteKeys() {
    for (uint64_t first = 0; first < bench_.keys; first += kBatchMost) {
      v1::BatchDeleteRequest request;
      v1::BatchDeleteResponse response;
      for (uint64_t i = first; i < std::min<uint64_t>(bench_.keys, first + kBatchMost); ++i) {
        v1::DeleteRequest* one = request.add_requests();
        PutKey(KeyAt(i), *one);
        one->set_holder(holder_);
      }
      if (const int code = connection_.Call(&v1::KeyValue::Stub::BatchDelete, request, response); code != kDone) {
        return code;
      }
    }
    return kDone;
  }

  void Send(absl::Time due, uint64_t number) {
    auto call = std::make_unique<Call>();
    call->due = due;
    call->context.set_deadline(absl::ToChronoTime(absl::Now() + connection_.options().timeout));
    // A number that is prime to most numbers of keys goes around all of them, and no two neighbours follow each other.
    const uint64_t key = number * 7919 % bench_.keys;
    Call* raw = call.release();  // its address is the tag; TakeAnswers owns it again
    if (bench_.writes) {
      raw->set_reader = connection_.key_value().AsyncSet(&raw->context, SetAt(key), &queue_);
      raw->set_reader->Finish(&raw->set, &raw->status, raw);
    } else {
      v1::GetRequest request;
      PutKey(KeyAt(key), request);
      raw->get_reader = connection_.key_value().AsyncGet(&raw->context, request, &queue_);
      raw->get_reader->Finish(&raw->got, &raw->status, raw);
    }
  }

  // Waits for one until the next call is due, and takes those that are there.
  void TakeAnswers(Pace& pace) {
    // After the end all that are under way are waited for: each has its --timeout.
    const bool over = pace.Over(absl::Now());
    auto deadline = absl::ToChronoTime(over ? absl::Now() + connection_.options().timeout : pace.Next());
    void* tag = nullptr;
    bool ok = false;
    while (queue_.AsyncNext(&tag, &ok, deadline) == grpc::CompletionQueue::GOT_EVENT) {
      const std::unique_ptr<Call> call(static_cast<Call*>(tag));
      pace.Answered();
      if (call->status.ok()) {
        histogram_.Add(absl::Now() - call->due);
      } else {
        ++failed_;
        ++failures_[ReasonOf(call->status).empty() ? call->status.error_message() : ReasonOf(call->status)];
      }
      deadline = std::chrono::system_clock::now();  // the rest that is there, without waiting
    }
  }

  std::string Loop() const {
    if (bench_.rate > 0) return absl::StrFormat("%.6g a second, counted from when each was due", bench_.rate);
    return absl::StrCat(bench_.concurrency, " at a time");
  }

  double DoneASecond(absl::Duration took) const {
    return static_cast<double>(histogram_.count()) / absl::ToDoubleSeconds(took);
  }

  void Show(const Pace& pace, absl::Duration took) const {
    std::cout << (bench_.writes ? "Set" : "Get") << ", " << Loop() << ", for " << absl::FormatDuration(bench_.duration)
              << ", " << bench_.keys << " keys of " << bench_.value_size << " bytes, at " << connection_.server()
              << "\n"
              << absl::StrFormat("  done     %d (%.0f a second), %d failed, %d not sent\n", histogram_.count(),
                                 DoneASecond(took), failed_, pace.missed());
    for (const auto& [why, count] : failures_) std::cout << "  failed   " << count << ": " << Escape(why) << "\n";
    if (histogram_.count() == 0) return;
    std::cout << "  latency ";
    for (const double part : {0.5, 0.9, 0.99, 0.999}) {
      std::cout << absl::StrFormat(" %g%% %s,", part * 100, ShowLatency(histogram_.Percentile(part)));
    }
    std::cout << " most " << ShowLatency(histogram_.max()) << "\n\n"
              << absl::StrFormat("%10s %10s\n", "up to", "calls");
    for (const std::string& line : histogram_.Lines(kBarWidth)) std::cout << line << "\n";
  }

  void ShowJson(const Pace& pace, absl::Duration took) const {
    google::protobuf::Struct object;
    auto& fields = *object.mutable_fields();
    fields["operation"].set_string_value(bench_.writes ? "set" : "get");
    fields["loop"].set_string_value(bench_.rate > 0 ? "open" : "closed");
    fields["done"].set_number_value(static_cast<double>(histogram_.count()));
    fields["done_a_second"].set_number_value(DoneASecond(took));
    fields["failed"].set_number_value(static_cast<double>(failed_));
    fields["not_sent"].set_number_value(static_cast<double>(pace.missed()));
    for (const auto& [name, part] : {std::pair{"p50_ms", 0.5}, {"p90_ms", 0.9}, {"p99_ms", 0.99}, {"p999_ms", 0.999}}) {
      fields[name].set_number_value(absl::ToDoubleMilliseconds(histogram_.Percentile(part)));
    }
    fields["max_ms"].set_number_value(absl::ToDoubleMilliseconds(histogram_.max()));
    PrintJson(object);
  }

  Connection& connection_;
  const BenchOptions& bench_;
  const std::string holder_, value_;
  grpc::CompletionQueue queue_;
  Histogram histogram_;
  uint64_t failed_ = 0;
  std::map<std::string, uint64_t> failures_;  // by reason; there are few
};

}  // namespace

int Bench(Connection& connection) { return BenchRun(connection).Run(); }

}  // namespace leasemap::cli

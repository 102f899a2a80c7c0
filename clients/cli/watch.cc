// `leasemap watch`: prints changes as they come, or runs a command for each. When the stream breaks it asks for the
// rest from its last cursor on, after a pause that grows, and does nothing twice (see core/resume.h).
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "clients/cli/commands.h"
#include "clients/cli/core/request.h"
#include "clients/cli/core/resume.h"
#include "clients/cli/core/text.h"
#include "clients/cli/cursor_file.h"
#include "clients/cli/event_commands.h"
#include "clients/cli/print.h"
#include "clients/cli/terminal.h"
#include "clients/cli/watch_stream.h"
#include "text/utf8.h"

namespace leasemap::cli {
namespace {

// A node sends a cursor at least every 15 s; after three of those missing it is taken for dead.
constexpr absl::Duration kLongestSilence = absl::Seconds(45);
// A node that resumes from a cursor may wait this long for the writes that the cursor names before it answers.
constexpr absl::Duration kCatchUp = absl::Seconds(10);
constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Seconds(2);

class WatchRun {
 public:
  // Without `commands` it prints.
  explicit WatchRun(Connection& connection, EventCommands* commands = nullptr)
      : connection_(connection), commands_(commands), random_(std::random_device()()) {
    const Options& options = connection.options();
    for (const std::string& prefix : options.prefixes) {
      text::IsUtf8(prefix) ? request_.add_prefixes(prefix) : request_.add_prefixes_bytes(prefix);
    }
    for (const std::string& key : options.keys) {
      text::IsUtf8(key) ? request_.add_keys(key) : request_.add_keys_bytes(key);
    }
    for (const v1::Event::Kind kind : options.kinds) request_.add_kinds(kind);
    request_.set_include_snapshot(options.snapshot);
    request_.set_cursor(options.cursor);
    request_.set_keys_only(options.keys_only);
  }

  int Run() {
    if (const absl::Status loaded = Load(); !loaded.ok()) return SayWrongFile(loaded);
    for (;;) {
      const grpc::Status status = RunStream();
      if (!std::cout) return kRefused;
      if (ended_with_ != kDone) return ended_with_;
      if (!saved_.ok()) return SayWrongFile(saved_);
      const bool goes_on = GoesOn(status);
      // Until a node of ours has answered each server is asked once.
      const bool another = !heard_ && IsUnreachable(status);
      if (!goes_on && !another) return SayWhy(status);
      if (!connection_.Next() && !goes_on) return SayWhy(status);
      if (failures_++ == 0 && heard_) {
        const std::string why = status.ok() ? "the node ended the stream" : status.error_message();
        Complain() << "the watch broke off (" << why << "); reconnecting to " << connection_.server() << std::endl;
      }
      Pause();
      filter_.OnRestart();
    }
  }

 private:
  // The cursor file comes before --snapshot: that is for the first start.
  absl::Status Load() {
    const std::string& file = connection_.options().cursor_file;
    if (file.empty()) return absl::OkStatus();
    const absl::StatusOr<Position> position = LoadPosition(file);
    if (!position.ok()) return position.status();
    if (!position->cursor.empty()) {
      request_.set_cursor(position->cursor);
      request_.set_include_snapshot(false);
    }
    // For what was done since the cursor this start is as a stream that comes after one that broke.
    std::string done;
    for (const v1::Event& event : position->done) {
      filter_.Admit(event);
      done += DoneLine(event);
    }
    filter_.OnRestart();
    return commands_ == nullptr ? absl::OkStatus() : SavePosition(file, position->cursor, done);
  }

  static int SayWrongFile(const absl::Status& status) {
    Complain() << "--cursor-file: " << status.message() << "\n";
    return kWrongUse;
  }

  // Why the watch ends, and what helps where its cursor is of no use any more.
  int SayWhy(const grpc::Status& status) const {
    const int exit_code = connection_.Report(status);
    const std::string reason = ReasonOf(status), file = connection_.options().cursor_file;
    if (reason == "CURSOR_EXPIRED") {
      Complain() << "the cursor has expired: the node no longer knows all changes since then; "
                 << (file.empty() ? "start again without --cursor" : "remove " + file + " and start again")
                 << ", with --snapshot to see the present value of every key\n";
    } else if (reason == "CURSOR_INVALID" && !file.empty()) {
      Complain() << "the cursor is in " << file << "; name another file for a watch of other keys\n";
    }
    return exit_code;
  }

  // One stream from its request to its end.
  grpc::Status RunStream() {
    WatchStream stream(connection_.key_value(), request_);
    absl::Duration patience = connection_.options().timeout + (request_.cursor().empty() ? absl::Duration() : kCatchUp);
    while (const v1::WatchResponse* response = stream.Read(patience)) {
      if (failures_ > 0 && heard_) Complain() << "watching again" << std::endl;
      failures_ = 0;
      heard_ = true;
      connection_.Begin();
      patience = kLongestSilence;
      grpc::Status taken = Take(*response);
      if (!taken.ok()) return taken;
      if (!std::cout.flush()) return {grpc::StatusCode::CANCELLED, "standard output is closed"};
      // Only now has everything before the cursor been printed.
      if (!response->cursor().empty() && !connection_.options().cursor_file.empty()) {
        saved_ = SavePosition(connection_.options().cursor_file, response->cursor(), standing_);
        if (!saved_.ok()) return {grpc::StatusCode::CANCELLED, "the cursor cannot be kept"};
      }
    }
    return stream.Finish();
  }

  // Only a cursor moves the request on: a snapshot that is complete but was given none is asked for again. An error is
  // that of a node that was asked what it has of some keys: the stream counts as broken.
  grpc::Status Take(const v1::WatchResponse& response) {
    for (const v1::Event& event : response.events()) {
      if (filter_.Admit(event) && !Show(event)) return {grpc::StatusCode::CANCELLED, "the command failed"};
    }
    if (response.snapshot_end() && !ShowStanding(filter_.OnSnapshotEnd())) {
      return {grpc::StatusCode::CANCELLED, "the command failed"};
    }
    if (!response.cursor().empty()) {
      for (const std::string& key : filter_.Unknown()) {
        grpc::Status status = AskFor(key);
        if (!status.ok()) return status;
      }
      const std::vector<v1::Event> standing = filter_.OnCursor();
      if (!ShowStanding(standing)) return {grpc::StatusCode::CANCELLED, "the command failed"};
      standing_.clear();
      if (commands_ != nullptr) {
        for (const v1::Event& event : standing) standing_ += DoneLine(event);
      }
      request_.set_cursor(response.cursor());
      request_.set_include_snapshot(false);
    }
    ShowPosition(response);
    return grpc::Status::OK;
  }

  grpc::Status AskFor(const std::string& key) {
    v1::GetRequest request;
    v1::GetResponse response;
    PutKey(key, request);
    // The stream's own node: another one may lack what the cursor covers.
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + connection_.options().timeout));
    grpc::Status status = connection_.key_value().Get(&context, request, &response);
    const bool missing = ReasonOf(status) == "KEY_NOT_FOUND";
    if (!status.ok() && !missing) return status;
    if (request_.keys_only()) response.mutable_entry()->clear_value_form();
    filter_.Learn(key, missing ? nullptr : &response.entry());
    return grpc::Status::OK;
  }

  // False: the watch ends, as the command for one of them says.
  bool ShowStanding(const std::vector<v1::Event>& events) {
    for (const v1::Event& event : events) {
      if (Wanted(event.kind()) && !Show(event)) return false;
    }
    return true;
  }

  bool Show(const v1::Event& event) {
    if (commands_ != nullptr) {
      const std::string& file = connection_.options().cursor_file;
      ended_with_ = commands_->Run(event, request_.cursor(), [&] {
        if (!file.empty()) saved_ = AppendDone(file, DoneLine(event));
      });
      return ended_with_ == kDone && saved_.ok();
    }
    if (connection_.options().json) {
      PrintJson(event);
    } else {
      PrintEvent(event);
    }
    return true;
  }

  void ShowPosition(const v1::WatchResponse& response) const {
    if (commands_ != nullptr) return;
    if (!response.snapshot_end() && response.cursor().empty() && response.lost_skipped() == 0) return;
    if (connection_.options().json) {
      v1::WatchResponse position;
      position.set_snapshot_end(response.snapshot_end());
      position.set_cursor(response.cursor());
      position.set_lost_skipped(response.lost_skipped());
      PrintJson(position);
      return;
    }
    if (response.lost_skipped() > 0) {
      std::cout << "# " << response.lost_skipped() << " LOST events are missing; `leasemap conflicts` counts all\n";
    }
    if (response.snapshot_end()) std::cout << "# snapshot end\n";
    if (connection_.options().show_cursor && !response.cursor().empty()) {
      std::cout << "# cursor " << Escape(response.cursor()) << "\n";
    }
  }

  bool Wanted(v1::Event::Kind kind) const {
    const auto& kinds = request_.kinds();
    return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
  }

  // Whether asking again makes sense: a node of ours said that it cannot serve just now, or a stream that was there
  // broke.
  bool GoesOn(const grpc::Status& status) {
    if (!ReasonOf(status).empty()) {
      heard_ = true;
      return status.error_code() == grpc::StatusCode::UNAVAILABLE;
    }
    if (!heard_) return false;
    switch (status.error_code()) {
      case grpc::StatusCode::OK:
      case grpc::StatusCode::CANCELLED:
      case grpc::StatusCode::UNKNOWN:
      case grpc::StatusCode::DEADLINE_EXCEEDED:
      case grpc::StatusCode::INTERNAL:
      case grpc::StatusCode::RESOURCE_EXHAUSTED:  // without a reason: gRPC itself, at the node, ran short of memory
      case grpc::StatusCode::UNAVAILABLE:
        return true;
      default:
        return false;
    }
  }

  // Each server is tried once without a pause. Then the pause doubles with each failure in a row, and takes off up to a
  // half at random so that many watchers do not return at once.
  void Pause() {
    const int rounds = failures_ - static_cast<int>(connection_.server_count());
    if (rounds < 0) return;
    const absl::Duration whole = std::min(kFirstPause * std::exp2(std::min(rounds, 10)), kLongestPause);
    const double part = std::uniform_real_distribution<double>(0.5, 1.0)(random_);
    std::this_thread::sleep_for(absl::ToChronoMilliseconds(whole * part));
  }

  Connection& connection_;
  EventCommands* const commands_;
  std::mt19937 random_;
  v1::WatchRequest request_;  // what to ask for next: carries the last cursor
  ResumeFilter filter_;
  absl::Status saved_;      // how keeping the last position in the file went
  std::string standing_;    // lines of what was done for the last cursor, and may come again after it
  int ended_with_ = kDone;  // the exit code, once a command ends the watch
  bool heard_ = false;      // a node of ours has answered
  int failures_ = 0;        // streams in a row that ended without a message
};

}  // namespace

int Watch(Connection& connection) {
  if (connection.options().exec.empty()) return WatchRun(connection).Run();
  EventCommands commands(connection.options());
  return commands.Serve([&] { return WatchRun(connection, &commands).Run(); });
}

}  // namespace leasemap::cli

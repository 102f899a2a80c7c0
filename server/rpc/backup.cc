#include "server/rpc/backup.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/threads/mutex.h"
#include "peer/wire/codec_parts.h"
#include "protos/backup_file.h"
#include "server/rpc/refused.h"
#include "server/rpc/status.h"
#include "server/storage/codec.h"

namespace leasemap::rpc {
namespace {

// Of one message of the stream, one entry more at most.
constexpr size_t kMessageBytes = 1 << 20;
// Once as many entries were read as there were keys, those that changed meanwhile are left. So much of them is read at
// once, and held until it is sent: so a client that takes less than others write gets to the end.
constexpr size_t kHeldBytes = 16 << 20;
// A client that has taken this many times as many entries as there were keys does not get to the end.
constexpr uint64_t kMostRounds = 4;
constexpr uint64_t kFewEntries = 1'000;  // more than that, since a small map may have grown

absl::Status TooMany(const char* what) {
  auto status = core::Refusal(absl::StatusCode::kResourceExhausted, "WAIT_LIMIT",
                              absl::StrCat("this node runs ", what, " already; try again when it is done"));
  core::SetRetryMs(status, 1000);
  return status;
}

absl::Status TooSlow() {
  return core::Refusal(absl::StatusCode::kResourceExhausted, "WAIT_LIMIT",
                       "the map changes faster than this client takes the backup; take it closer to the node, or when "
                       "less is written");
}

absl::Status WrongFile(const absl::Status& why) { return core::InvalidField("data", std::string(why.message())); }

}  // namespace

// Its callbacks come one after another, but for OnCancel, which it does not need: a write that fails ends it.
class BackupStream final : public grpc::ServerWriteReactor<v1::BackupResponse> {
 public:
  BackupStream(Backups& owner, Caller caller) : owner_(owner), caller_(std::move(caller)) {
    const host::NodeHost& host = owner_.host_;
    storage::v1::BackupHeader header;
    header.set_cluster(host.options().cluster);
    header.set_node_id(host.options().node_id);
    header.set_server_version(LEASEMAP_VERSION);
    header.set_start_ms(host.now().wall_ms);
    header.set_keys(host.Read([](const core::Node& node) { return node.shown().store.live_keys(); }));
    keys_ = host.Read([](const core::Node& node) { return node.store().keys(); });
    response_.set_data(writer_.Begin(header));
    StartWrite(&response_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(ToGrpc(absl::CancelledError("the client is gone")));
    if (ended_) return Finish(grpc::Status::OK);
    if (auto status = owner_.gate_.StillAdministers(caller_); !status.ok()) return Finish(ToGrpc(status));
    if (auto status = ReadMore(); !status.ok()) return Finish(ToGrpc(status));
    storage::v1::BackupEntries entries;
    for (size_t bytes = 0; bytes < kMessageBytes && sent_ < held_.size(); ++sent_) {
      bytes += core::Weight(*held_[sent_]);
      wire::ToProto(*held_[sent_], entries.add_entries());
    }
    response_.set_data(entries.entries_size() > 0 ? writer_.Add(std::move(entries)) : "");
    if (rest_ && sent_ == held_.size()) {
      ended_ = true;
      storage::v1::BackupEnd end;
      storage::ToProto(*rest_, end.mutable_image());
      end.set_end_ms(owner_.host_.now().wall_ms);
      response_.mutable_data()->append(writer_.End(std::move(end)));
    }
    response_.set_entries_done(writer_.entries());
    response_.set_entries_total(keys_);
    StartWrite(&response_);
  }
  void OnDone() override {
    --owner_.backups_;
    delete this;
  }

 private:
  // When all that is held was sent. A page at a time, so that the node's lock is held for a moment only.
  absl::Status ReadMore() {
    if (sent_ < held_.size()) return absl::OkStatus();
    if (writer_.entries() > kMostRounds * keys_ + kFewEntries) return TooSlow();
    held_.clear();
    sent_ = 0;
    const size_t most = writer_.entries() < keys_ ? kMessageBytes : kHeldBytes;
    for (size_t bytes = 0; bytes < most && !rest_; bytes += kMessageBytes) {
      auto page = owner_.host_.ReadBackup(place_, kMessageBytes);
      if (!page.ok()) return page.status();
      held_.insert(held_.end(), page->entries.begin(), page->entries.end());
      keys_ = std::max(keys_, page->keys);
      rest_ = std::move(page->rest);
    }
    return absl::OkStatus();
  }

  Backups& owner_;
  const Caller caller_;
  BackupWriter writer_;
  core::BackupPlace place_;
  std::vector<core::EntryPtr> held_;
  size_t sent_ = 0;                  // of those that are held
  std::optional<core::Image> rest_;  // with the last ones
  uint64_t keys_ = 0;                // with the deleted ones: the most that there were
  bool ended_ = false;
  v1::BackupResponse response_;
};

// Its callbacks come one after another.
class RestoreCall final : public grpc::ServerReadReactor<v1::RestoreRequest> {
 public:
  RestoreCall(Backups& owner, Caller caller, grpc::CallbackServerContext& context, v1::RestoreResponse* response)
      : owner_(owner), caller_(std::move(caller)), context_(context), response_(response) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (auto status = owner_.gate_.StillAdministers(caller_); !status.ok()) return Finish(ToGrpc(status));
    if (!ok) return End();
    owner_.gate_.MoreArrived(context_, request_);
    if (!begun_) force_ = request_.force();
    begun_ = true;
    parser_.Add(request_.data());
    if (auto status = TakeRecords(); !status.ok()) return Finish(ToGrpc(status));
    StartRead(&request_);
  }
  void OnDone() override {
    --owner_.restores_;
    delete this;
  }

 private:
  absl::Status TakeRecords() {
    for (;;) {
      auto record = parser_.Next();
      if (!record.ok()) return WrongFile(record.status());
      if (!*record) return absl::OkStatus();
      if (auto status = Take(**record); !status.ok()) return status;
    }
  }
  absl::Status Take(storage::v1::BackupRecord& record) {
    const core::NodeOptions& options = owner_.host_.options();
    if (record.has_header() && record.header().cluster() == options.cluster && !force_) {
      return core::InvalidField(
          "force", absl::StrCat("the backup is of a cluster of this name, ", core::Shown(options.cluster),
                                ": if a node of that one still has its map, the two become one; restore under another "
                                "--cluster, or set force (leasemap restore --force)"));
    }
    for (auto& in : *record.mutable_entries()->mutable_entries()) {
      auto entry = std::make_shared<core::Entry>();
      if (auto status = wire::FromProto(std::move(in), entry.get()); !status.ok()) return WrongFile(status);
      bytes_ += core::Footprint(*entry);
      entries_.push_back(std::move(entry));
    }
    if (bytes_ > options.max_bytes) {
      return core::Refusal(absl::StatusCode::kResourceExhausted, "BYTES_LIMIT",
                           absl::StrCat("the map of the backup takes more memory than this node may use for it, ",
                                        options.max_bytes >> 20, " MiB (--max-bytes)"));
    }
    if (!record.has_end()) return absl::OkStatus();
    auto image = storage::FromProto(record.end().image());
    if (!image.ok()) return WrongFile(image.status());
    image_ = *std::move(image);
    return absl::OkStatus();
  }
  // The client has sent all that it has.
  void End() {
    if (!parser_.complete()) {
      return Finish(ToGrpc(core::InvalidField("data", "the backup ends too soon; send all of the file")));
    }
    if (auto status = owner_.host_.Restore(entries_, image_); !status.ok()) return Finish(ToGrpc(status));
    response_->set_entries(entries_.size());
    response_->set_keys(owner_.host_.Read([](const core::Node& node) { return node.store().live_keys(); }));
    entries_.clear();
    const auto wait =
        owner_.host_.AwaitSaved([this](const core::Effects::Answered& answered) { Finish(ToGrpc(answered.status)); });
    if (!wait.ok() || *wait == 0) Finish(ToGrpc(wait.status()));
  }

  Backups& owner_;
  const Caller caller_;
  grpc::CallbackServerContext& context_;
  v1::RestoreResponse* const response_;
  v1::RestoreRequest request_;
  bool begun_ = false, force_ = false;
  BackupParser parser_;
  std::vector<core::EntryPtr> entries_;
  uint64_t bytes_ = 0;
  core::Image image_;
};

grpc::ServerWriteReactor<v1::BackupResponse>* Backups::Backup(grpc::CallbackServerContext& context,
                                                              const v1::BackupRequest& request) {
  using Reactor = grpc::ServerWriteReactor<v1::BackupResponse>;
  auto caller = Begin(context, request, backups_, kMaxBackups, "as many backups as it can");
  return caller.ok() ? new BackupStream(*this, *std::move(caller)) : Refused<Reactor>(ToGrpc(caller.status()));
}

grpc::ServerReadReactor<v1::RestoreRequest>* Backups::Restore(grpc::CallbackServerContext& context,
                                                              v1::RestoreResponse* response) {
  using Reactor = grpc::ServerReadReactor<v1::RestoreRequest>;
  auto caller = Begin(context, v1::RestoreRequest(), restores_, 1, "a restore");
  if (!caller.ok()) return Refused<Reactor>(ToGrpc(caller.status()));
  return new RestoreCall(*this, *std::move(caller), context, response);
}

absl::StatusOr<Caller> Backups::Begin(grpc::CallbackServerContext& context, const google::protobuf::Message& request,
                                      std::atomic<int>& running, int most, const char* what) {
  auto caller = gate_.CheckAdmin(context, request);
  if (!caller.ok()) return caller;
  auto status = gate_.CheckServing();
  if (status.ok() && running.fetch_add(1) >= most) {
    --running;
    status = TooMany(what);
  }
  caller->Administered(status);
  return status.ok() ? std::move(caller) : status;
}

}  // namespace leasemap::rpc

#include "tests/e2e/chaos/driver/watcher.h"

#include <chrono>

namespace leasemap::chaos {
namespace {

constexpr std::chrono::milliseconds kPause(200);  // before a stream that failed is asked for anew

}  // namespace

Watcher::Watcher(std::string name, bool wants_renewals, std::vector<Endpoint>& nodes, Ledger& ledger, uint64_t seed)
    : name_(std::move(name)),
      wants_renewals_(wants_renewals),
      nodes_(nodes),
      ledger_(ledger),
      random_(seed),
      node_(random_() % nodes.size()) {
  thread_ = std::thread([this] { Run(); });
}

Watcher::~Watcher() {
  {
    const MutexLock lock(mutex_);
    quit_ = true;
    if (context_) context_->TryCancel();
  }
  changed_.NotifyAll();
  thread_.join();
}

void Watcher::Move() {
  const MutexLock lock(mutex_);
  if (nodes_.size() > 1) node_ = (node_ + 1 + random_() % (nodes_.size() - 1)) % nodes_.size();
  if (context_) context_->TryCancel();
  ledger_.Count("watch_moves");
}

void Watcher::AwayFrom(const std::string& node) {
  {
    const MutexLock lock(mutex_);
    if (nodes_[node_].name != node) return;
  }
  Move();
}

void Watcher::Dump(std::string* out) const {
  const MutexLock lock(mutex_);
  const auto line = [&](const char* what, const std::string& key, const Fold::Known& known) {
    absl::StrAppend(out, what, "\t", name_, "\t", key, "\t", known.version, "\t", known.rank.token, "\t",
                    known.rank.holder, "\t", known.rank.update_ms, "\t", known.rank.value_ms, "\n");
  };
  for (const auto& [key, known] : fold_.known()) {
    if (!known.deleted) line("key", key, known);
  }
  for (const auto& [key, grave] : fold_.graves()) line("grave", key, grave);
}

void Watcher::Run() {
  while (true) {
    const grpc::Status status = Follow();
    const MutexLock lock(mutex_);
    if (quit_) return;
    if (status.error_code() == grpc::StatusCode::CANCELLED) continue;  // moved
    const std::string reason = ReasonOf(status);
    ledger_.Count("watch_" + reason);
    if (reason == "CURSOR_EXPIRED") {
      fold_.DropCursor();
    } else {
      node_ = (node_ + 1) % nodes_.size();
    }
    if (reason == "CURSOR_INVALID" || reason == "REQUEST_INVALID") Wrong(status.error_message());
    const auto end = Condition::Clock::now() + kPause;
    while (!quit_ && changed_.WaitUntil(mutex_, end)) {
    }
  }
}

grpc::Status Watcher::Follow() {
  v1::WatchRequest request;
  auto context = std::make_shared<grpc::ClientContext>();
  v1::KeyValue::Stub* stub;
  {
    const MutexLock lock(mutex_);
    if (quit_) return grpc::Status::CANCELLED;
    request.set_cursor(fold_.cursor());
    request.set_include_snapshot(fold_.cursor().empty());
    request.set_keys_only(true);
    if (wants_renewals_) {
      for (const auto kind :
           {v1::Event::KIND_SET, v1::Event::KIND_DELETED, v1::Event::KIND_EXPIRED, v1::Event::KIND_LEASE})
        request.add_kinds(kind);
    }
    fold_.Begin(request.include_snapshot());
    stub = nodes_[node_].watches.get();
    context_ = context;
  }
  ledger_.Count(request.cursor().empty() ? "watch_snapshots" : "watch_resumes");
  auto reader = stub->Watch(context.get(), request);
  v1::WatchResponse message;
  while (reader->Read(&message)) {
    const MutexLock lock(mutex_);
    const std::string wrong = fold_.Take(message);
    if (!wrong.empty()) Wrong(absl::StrCat(wrong, " at ", nodes_[node_].name));
  }
  return reader->Finish();
}

void Watcher::Wrong(const std::string& what) {
  ledger_.Count("watch_wrong");
  ledger_.Line(absl::StrCat("wrong\twatcher ", name_, "\t", NowUs(), "\t", what, "\n"));
}

LossListener::LossListener(Endpoint& node, Ledger& ledger) : node_(node), ledger_(ledger) {
  thread_ = std::thread([this] { Run(); });
}

LossListener::~LossListener() {
  {
    const MutexLock lock(mutex_);
    quit_ = true;
    if (context_) context_->TryCancel();
  }
  changed_.NotifyAll();
  thread_.join();
}

void LossListener::Run() {
  v1::WatchRequest request;
  request.add_kinds(v1::Event::KIND_LOST);
  while (true) {
    auto context = std::make_shared<grpc::ClientContext>();
    {
      const MutexLock lock(mutex_);
      if (quit_) return;
      context_ = context;
    }
    auto reader = node_.watches->Watch(context.get(), request);
    v1::WatchResponse message;
    while (reader->Read(&message)) {
      for (const v1::Event& event : message.events()) {
        ledger_.Count("lost_told");
        const Rank loser = RankOf(event.entry()), winner = RankOf(event.winner());
        ledger_.Line(absl::StrCat("lost\t", node_.name, "\t", NowUs(), "\t", event.entry().key(), "\t",
                                  event.entry().version(), "\t", event.winner().version(), "\t", loser.token, "\t",
                                  loser.holder, "\t", winner.token, "\t", winner.holder, "\n"));
      }
    }
    const std::string reason = ReasonOf(reader->Finish());
    const MutexLock lock(mutex_);
    if (reason == "UNSUPPORTED" && !quit_) {
      ledger_.Count("lost_unsupported");
      return;
    }
    const auto end = Condition::Clock::now() + kPause;
    while (!quit_ && changed_.WaitUntil(mutex_, end)) {
    }
  }
}

}  // namespace leasemap::chaos

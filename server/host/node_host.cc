#include "server/host/node_host.h"

#include <time.h>

#include <chrono>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "asio/post.hpp"
#include "peer/core/data/check.h"
#include "peer/core/data/error.h"
#include "server/host/address.h"
#include "server/host/carry_out.h"
#include "spdlog/spdlog.h"

namespace leasemap::host {
namespace {

// A stop waits this long until links have sent the own writes: with the drain (3 s) and the links' linger below 5 s.
constexpr int64_t kLeaveMs = 1000;

// Broadcasts are refused while this many messages wait for the network thread: with 64 KiB each some 64 MiB, and one
// broadcast more.
constexpr size_t kMaxPendingSends = 1024;

int64_t Ms(auto duration) { return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count(); }

template <typename T>
void Append(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

// Nobody sets the boot-time clock, and it runs while the machine sleeps. So a wall clock that moves against it was
// stepped, and after a sleep links and leases have the age that others see. (Timers use CLOCK_MONOTONIC, which stops
// during a sleep; so waits are always for a span.)
core::Now Clocks() {
  timespec boot{};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  return {core::MonoTime(boot.tv_sec * 1000 + boot.tv_nsec / 1'000'000),
          Ms(std::chrono::system_clock::now().time_since_epoch())};
}

// With what the disk has to say.
core::NodeOptions With(core::NodeOptions options, const storage::Disk* disk) {
  options.disk = disk != nullptr;
  options.lost_map = disk != nullptr && disk->lost_map();
  return options;
}

}  // namespace

NodeHost::NodeHost(core::NodeOptions options, std::string mesh_listen, uint64_t memory_limit,
                   std::unique_ptr<storage::Disk> disk)
    : NodeHost(With(std::move(options), disk.get()), std::move(mesh_listen), memory_limit, disk,
               disk == nullptr ? std::nullopt : disk->TakeImage()) {}

NodeHost::NodeHost(core::NodeOptions options, std::string mesh_listen, uint64_t memory_limit,
                   std::unique_ptr<storage::Disk>& disk, std::optional<core::Image> image)
    : options_(options),
      mesh_listen_(std::move(mesh_listen)),
      data_dir_(disk == nullptr ? "" : disk->path()),
      node_(std::move(options), Clocks(), image ? &*image : nullptr),
      watchdog_(mutex_,
                [this] {
                  if (listeners_.changed) listeners_.changed();
                }),
      work_(asio::make_work_guard(io_)),
      timer_(io_),
      transport_(io_, MeshCallbacks()),
      memory_(memory_limit),
      saver_(disk == nullptr ? nullptr : std::make_unique<Saver>(std::move(disk), SaverCallbacks())) {}

NodeHost::~NodeHost() { Stop(); }

core::Now NodeHost::now() const { return Clocks(); }

// The steps of CarryOut (carry_out.h), which has their order. Up to Unlock they hold the lock that Change took.
struct NodeHost::Steps {
  using Answers = std::vector<std::pair<Done, core::Effects::Answered>>;

  NodeHost& host;

  // The node itself holds back what has to wait until the piece is on the disk.
  void Persist(core::Effects& effects) {
    if (effects.unsaved && host.saver_ != nullptr) host.saver_->Wake();
  }

  Answers TakeAnswers(core::Effects& effects) {
    host.mutex_.AssertHeld();
    Answers answers;
    for (auto& answered : effects.answered) {
      if (auto done = host.waiting_.extract(answered.wait)) {
        answers.emplace_back(std::move(done.mapped()), std::move(answered));
      }
    }
    effects.answered.clear();
    return answers;
  }

  // Hands them to the network thread, which performs them in this order.
  void Send(core::Effects& effects) {
    host.mutex_.AssertHeld();
    host.ready_.store(host.node_.ready(), std::memory_order_release);
    const bool idle = effects.empty();
    core::Effects& pending = host.pending_;
    Append(pending.log, effects.log);
    Append(pending.send, effects.send);
    pending.pull |= effects.pull;
    Append(pending.hang_up, effects.hang_up);
    Append(pending.dial, effects.dial);
    Append(pending.resolve, effects.resolve);
    Append(pending.heard, effects.heard);
    // What the network thread does itself may also have moved the timer.
    const bool needed =
        std::exchange(host.timer_moved_, false) || !idle || host.io_.get_executor().running_in_this_thread();
    if (needed && !std::exchange(host.perform_posted_, true)) {
      asio::post(host.io_, [&host = host] { host.Perform(); });
    }
  }

  void Unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { host.mutex_.Unlock(); }

  void Answer(const Answers& answers) {
    for (const auto& [done, answered] : answers) done(answered);
  }

  void Wake(bool changed, bool renewed) {
    if (changed && host.listeners_.changed) host.listeners_.changed();
    if (renewed && host.listeners_.renewed) host.listeners_.renewed();
  }
};

// CarryOut gives the lock back, by Steps::Unlock; clang's analysis does not see through it.
template <typename F>
auto NodeHost::Change(F f, const char* call) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Steps steps{*this};
  mutex_.Lock(call);
  if constexpr (std::is_void_v<decltype(f(node_, Clocks()))>) {
    f(node_, Clocks());
    CarryOut(node_.Take(), steps);
  } else {
    auto result = f(node_, Clocks());
    CarryOut(node_.Take(), steps);
    return result;
  }
}

// Before the effects of the same call are looked at: they may have the answer already.
void NodeHost::Await(core::WaitId wait, Done done) {
  if (wait == 0) return;
  waiting_.emplace(wait, std::move(done));
  timer_moved_ = true;
}

std::string NodeHost::advertised() const {
  if (!options_.advertise.empty()) return options_.advertise;
  const auto listen = net::ParseHostPort(mesh_listen_);
  if (!listen) return mesh_listen_;
  if (!IsAnyAddress(listen->host)) return net::ShowHostPort(listen->host, transport_.port());
  const MutexLock lock(found_mutex_);
  return found_.empty() ? net::ShowHostPort("any", transport_.port()) : found_;
}

// The address of this end of a link, in the form that the other end gets. It is shown from now on, unless only this
// machine can dial it and others can dial the one before.
std::string NodeHost::Found(const std::string& local) {
  std::string plain = PlainAddress(local);
  const MutexLock lock(found_mutex_);
  if (found_.empty() || IsLoopbackAddress(found_) || (!plain.empty() && !IsLoopbackAddress(plain))) found_ = plain;
  return plain;
}

absl::Status NodeHost::Start() {
  if (auto status = transport_.Listen(mesh_listen_); !status.ok()) return status;
  thread_ = std::thread([this] { io_.run(); });
  if (saver_ != nullptr) saver_->Start();
  asio::post(io_, [this] { Change([](core::Node& node, core::Now now) { node.Tick(now); }, "Tick"); });
  return absl::OkStatus();
}

void NodeHost::Leave() {
  Change([](core::Node& node, core::Now now) { node.Leave(now); }, "Leave");
}

void NodeHost::SetSecurity(std::shared_ptr<net::Security> security, bool plain_too) {
  asio::post(io_, [this, plain_too, security = std::move(security)]() mutable {
    transport_.SetSecurity(std::move(security), plain_too);
  });
}

void NodeHost::SetRightsHash(uint64_t hash) {
  Change(
      [hash, this](core::Node& node, core::Now) {
        mutex_.AssertHeld();
        node.SetRightsHash(hash);
        timer_moved_ = true;  // reports tell of it
      },
      "SetRightsHash");
}

void NodeHost::SetSeeds(const std::vector<std::string>& seeds) {
  Change(
      [&](core::Node& node, core::Now) {
        mutex_.AssertHeld();
        node.SetSeeds(seeds);
        timer_moved_ = true;
      },
      "SetSeeds");
}

void NodeHost::Stop() {
  watchdog_.Stop();
  if (thread_.joinable()) {
    asio::post(io_, [this] {
      timer_due_ = core::MonoTime::Never();
      // After the Perform of earlier calls: a Leave is sent first.
      asio::post(io_, [this] { LeaveLinks(Clocks().mono + kLeaveMs); });
    });
    thread_.join();
  }
  if (saver_ != nullptr) saver_->Stop();
}

Saver::Callbacks NodeHost::SaverCallbacks() {
  Saver::Callbacks callbacks;
  callbacks.take = [this]() -> std::optional<core::Unsaved> {
    const Hold lock(mutex_, "TakeUnsaved");
    if (!node_.SaveIsDue()) return std::nullopt;
    return node_.TakeUnsaved();
  };
  callbacks.done = [this](bool saved, const core::DiskState& state) {
    Change(
        [&](core::Node& node, core::Now now) {
          node.SetDiskState(state);
          saved ? node.OnSaved(now) : node.OnSaveFailed();
        },
        "OnSaved");
  };
  callbacks.changed = [this](const core::DiskState& state) {
    Change([&](core::Node& node, core::Now) { node.SetDiskState(state); }, "SetDiskState");
  };
  return callbacks;
}

// Writes that were answered and are still in the own log go out first, as long as there is time.
void NodeHost::LeaveLinks(core::MonoTime until) {
  const auto behind = Read([](const core::Node& node) { return node.LinksToPull(); });
  if (behind.empty() || Clocks().mono >= until) {
    transport_.Stop();
    work_.reset();
    return EndWhenClosed();
  }
  for (const core::LinkId link : behind) transport_.Pump(link);
  timer_.expires_after(std::chrono::milliseconds(5));
  timer_.async_wait([this, until](const asio::error_code&) { LeaveLinks(until); });
}

// The thread ends when the links have said their last word (each has kLingerMs for it); a name that is still being
// resolved is not waited for.
void NodeHost::EndWhenClosed() {
  if (transport_.closed()) return io_.stop();
  timer_.expires_after(std::chrono::milliseconds(5));
  timer_.async_wait([this](const asio::error_code&) { EndWhenClosed(); });
}

net::Transport::Callbacks NodeHost::MeshCallbacks() {
  net::Transport::Callbacks mesh;
  mesh.on_dialed = [this](core::LinkId link, const std::string& address, const std::string& local) {
    Change([&](core::Node& node, core::Now now) { node.OnDialed(now, link, address, Found(local)); }, "OnDialed");
  };
  mesh.on_dial_failed = [this](const std::string& address, const std::string& why) {
    Change([&](core::Node& node, core::Now now) { node.OnDialFailed(now, address, why); }, "OnDialFailed");
  };
  mesh.on_resolved = [this](const std::string& seed, const std::vector<std::string>& addresses,
                            const std::string& why) {
    Change([&](core::Node& node, core::Now now) { node.OnResolved(now, seed, addresses, why); }, "OnResolved");
  };
  mesh.on_accepted = [this](core::LinkId link, const std::string& local, const std::string& remote) {
    Change([&](core::Node& node, core::Now now) { node.OnAccepted(now, link, Found(local), PlainAddress(remote)); },
           "OnAccepted");
  };
  mesh.on_message = [this](core::LinkId link, core::Message message) {
    Change([&](core::Node& node, core::Now now) { node.OnMessage(now, link, std::move(message)); }, "OnMessage");
  };
  mesh.on_piece = [this](core::LinkId link) {
    Change([&](core::Node& node, core::Now now) { node.OnPiece(now, link); }, "OnPiece");
  };
  mesh.on_malformed = [this](core::LinkId link, const std::string& why) {
    Change([&](core::Node& node, core::Now now) { node.OnMalformed(now, link, why); }, "OnMalformed");
  };
  mesh.on_unproven = [this](core::LinkId link, const std::string& why) {
    Change([&](core::Node& node, core::Now now) { node.OnUnproven(now, link, why); }, "OnUnproven");
  };
  mesh.on_closed = [this](core::LinkId link, const std::string& why) {
    if (!why.empty() && why != "End of file") spdlog::debug("link {} closed: {}", static_cast<uint64_t>(link), why);
    Change([&](core::Node& node, core::Now now) { node.OnClosed(now, link, why); }, "OnClosed");
  };
  mesh.on_smaller = [](const std::string& why) {
    if (!why.empty()) spdlog::warn("{}", why);
  };
  mesh.pull = [this](core::LinkId link) {
    const Hold lock(mutex_, "Pull");
    return node_.Pull(Clocks(), link);
  };
  return mesh;
}

// On the network thread, without the lock.
void NodeHost::Perform() {
  core::Effects effects;
  std::vector<core::LinkId> to_pull;
  {
    const Hold lock(mutex_, "Perform");
    std::swap(effects, pending_);
    perform_posted_ = false;
    if (effects.pull) to_pull = node_.LinksToPull();
  }
  for (const auto& line : effects.log) {
    spdlog::log(line.warning ? spdlog::level::warn : spdlog::level::info, "{}", line.text);
  }
  for (const auto& send : effects.send) transport_.Send(send.link, send.message);
  for (const core::LinkId link : to_pull) transport_.Pump(link);
  for (const auto& hang_up : effects.hang_up) {
    if (!hang_up.why.empty()) spdlog::info("closing a link: {}", hang_up.why);
    transport_.HangUp(hang_up.link);
  }
  for (const auto& address : effects.dial) transport_.Dial(address);
  for (const auto& seed : effects.resolve) transport_.Resolve(seed);
  if (listeners_.heard) {
    for (const auto& heard : effects.heard) listeners_.heard(heard);
  }
  SetTimer();
}

void NodeHost::SetTimer() {
  if (timer_due_ == core::MonoTime::Never()) return;
  const core::Now now = Clocks();
  const core::MonoTime due = Read([&](const core::Node& node) { return node.NextDue(now); });
  if (due == timer_due_) return;
  timer_due_ = due;
  timer_.expires_after(std::chrono::milliseconds(std::max<int64_t>(1, due - now.mono)));
  timer_.async_wait([this](const asio::error_code& cancelled) {
    if (cancelled || timer_due_ == core::MonoTime::Never()) return;
    timer_due_.reset();
    Change([](core::Node& node, core::Now at) { node.Tick(at); }, "Tick");
  });
}

core::EntryPtr NodeHost::Get(std::string_view key) const {
  const core::Now now = Clocks();
  const Hold lock(mutex_, "Get");
  return node_.Get(now, key);
}

absl::Status NodeHost::CheckMemory(const core::WriteCommand& command) {
  if (command.change != core::Change::kSet || !memory_.Short(Clocks().mono)) return absl::OkStatus();
  return core::Refusal(absl::StatusCode::kResourceExhausted, "BYTES_LIMIT",
                       absl::StrCat("this node uses ", MemoryUsed(), " of the ", memory_.limit(),
                                    " bytes of memory that it may; delete or shrink values, or give it more memory"));
}

absl::StatusOr<core::EntryPtr> NodeHost::Write(const core::WriteCommand& command) {
  LEASEMAP_CHECK(!saves());
  if (auto status = CheckMemory(command); !status.ok()) return status;
  return Change(
      [&](core::Node& node, core::Now now) -> absl::StatusOr<core::EntryPtr> {
        const auto submitted = node.Submit(now, command);
        if (!submitted.ok()) return submitted.status();
        node.CancelWait(submitted->wait);
        return submitted->entry;
      },
      "Write");
}

absl::StatusOr<core::Submitted> NodeHost::Submit(const core::WriteCommand& command, Done done) {
  if (auto status = CheckMemory(command); !status.ok()) return status;
  return Change(
      [&](core::Node& node, core::Now now) {
        mutex_.AssertHeld();
        auto submitted = node.Submit(now, command);
        if (submitted.ok()) Await(submitted->wait, std::move(done));
        return submitted;
      },
      "Submit");
}

absl::StatusOr<core::WaitId> NodeHost::AwaitVersion(const std::string& version, int64_t patience_ms, Done done) {
  return Change(
      [&](core::Node& node, core::Now now) {
        mutex_.AssertHeld();
        auto wait = node.AwaitVersion(now, version, patience_ms);
        if (wait.ok()) Await(*wait, std::move(done));
        return wait;
      },
      "AwaitVersion");
}

absl::StatusOr<core::WaitId> NodeHost::Explain(const std::string& key, int64_t patience_ms, Done done) {
  return Change(
      [&](core::Node& node, core::Now now) {
        mutex_.AssertHeld();
        auto wait = node.Explain(now, key, patience_ms);
        if (wait.ok()) Await(*wait, std::move(done));
        return wait;
      },
      "Explain");
}

bool NodeHost::CancelWait(core::WaitId wait) {
  return Change(
      [&](core::Node& node, core::Now) {
        mutex_.AssertHeld();
        node.CancelWait(wait);
        return waiting_.erase(wait) > 0;
      },
      "CancelWait");
}

void NodeHost::EndWaits() {
  Change([](core::Node& node, core::Now now) { node.EndWaits(now); }, "EndWaits");
}

absl::StatusOr<core::Watch> NodeHost::StartWatch(core::WatchFilter filter, bool snapshot,
                                                 const std::string& cursor) const {
  const Hold lock(mutex_, "StartWatch");
  return node_.StartWatch(Clocks(), std::move(filter), snapshot, cursor);
}

absl::StatusOr<core::WatchBatch> NodeHost::ReadWatch(core::Watch& watch) const {
  const Hold lock(mutex_, "ReadWatch");
  return node_.ReadWatch(Clocks(), watch);
}

absl::StatusOr<core::BackupPage> NodeHost::ReadBackup(core::BackupPlace& place, size_t bytes) const {
  const Hold lock(mutex_, "ReadBackup");
  return core::ReadBackup(node_, place, bytes);
}

// The lock is held for some entries at a time. Writes of clients may come in between: they merge as ever.
absl::Status NodeHost::Restore(const std::vector<core::EntryPtr>& entries, const core::Image& image) {
  constexpr size_t kAtOnce = 500;
  {
    const Hold lock(mutex_, "CheckRestore");
    if (auto status = node_.CheckRestore(Clocks(), entries); !status.ok()) return status;
  }
  for (size_t at = 0; at < entries.size(); at += kAtOnce) {
    const auto begin = entries.begin() + static_cast<std::ptrdiff_t>(at);
    const std::vector<core::EntryPtr> some(begin,
                                           begin + static_cast<std::ptrdiff_t>(std::min(kAtOnce, entries.size() - at)));
    Change([&](core::Node& node, core::Now now) { node.Restore(now, some); }, "Restore");
  }
  Change([&](core::Node& node, core::Now now) { node.EndRestore(now, image); }, "EndRestore");
  return absl::OkStatus();
}

absl::StatusOr<core::WaitId> NodeHost::AwaitSaved(Done done) {
  return Change(
      [&](core::Node& node, core::Now) -> absl::StatusOr<core::WaitId> {
        mutex_.AssertHeld();
        const core::WaitId wait = node.AwaitSaved();
        Await(wait, std::move(done));
        return wait;
      },
      "AwaitSaved");
}

absl::StatusOr<int> NodeHost::SendBroadcast(const std::string& to_node, const std::string& payload) {
  const auto send = [&](core::Node& node, core::Now now) -> absl::StatusOr<int> {
    mutex_.AssertHeld();
    if (pending_.send.size() >= kMaxPendingSends) {
      auto status = core::Refusal(absl::StatusCode::kResourceExhausted, "BYTES_LIMIT",
                                  "too many messages are on their way; try again in a moment");
      core::SetRetryMs(status, 100);
      return status;
    }
    return node.SendBroadcast(now, to_node, payload);
  };
  return Change(send, "SendBroadcast");
}

absl::Status NodeHost::Forget(const std::string& member) {
  return Change([&](core::Node& node, core::Now at) { return node.Forget(at, member); }, "Forget");
}

std::string NodeHost::WaitsFor() const {
  return Read([](const core::Node& node) -> std::string {
    if (node.ready()) return "";
    return node.waits_for().empty() ? "it begins again from the others' map" : node.waits_for().front().text;
  });
}

core::NodeStatus NodeHost::GetStatus() const {
  const Hold lock(mutex_, "GetStatus");
  return node_.GetStatus();
}

}  // namespace leasemap::host

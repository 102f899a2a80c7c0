#include "tests/e2e/chaos/driver/load.h"

#include <chrono>

#include "tests/e2e/chaos/driver/fold.h"

namespace leasemap::chaos {
namespace {

constexpr int kTickMs = 5;
constexpr int kMostOutstanding = 100;       // a node: a stopped one takes so many with it, until their deadlines
constexpr int64_t kMostBehindUs = 100'000;  // what could not be issued for so long is not made up for later
constexpr int kLocalDeadlineMs = 2000;
constexpr int kMajorityDeadlineMs = 4000;
constexpr int kReadOneOf = 50;
constexpr int64_t kAwayUs = 100'000;  // a client goes to another node for so long
constexpr int kHolders = 8;
// The shortest lease there is: once/… is free again when the names come anew, brief/… is gone soon after the load ends.
constexpr int kShortLeaseMs = 2000;
constexpr size_t kLargeValue = 40'000;  // some values take several parts on a link (1 of 2,000 writes)

int64_t Ms(const google::protobuf::Timestamp& time) { return time.seconds() * 1000 + time.nanos() / 1'000'000; }

}  // namespace

struct Load::Call {
  enum Operation { kSet, kDelete, kRenew } operation = kSet;
  int node = 0;
  bool majority = false;
  std::string key, holder, value;
  int lease_ms = -1;  // -1: the cluster's default
  int64_t sent = 0;
  grpc::ClientContext context;
  v1::SetRequest set;
  v1::DeleteRequest del;
  v1::RenewRequest renew;
  v1::SetResponse set_response;
  v1::DeleteResponse delete_response;
  v1::RenewResponse renew_response;

  const char* name() const { return operation == kSet ? "set" : operation == kDelete ? "delete" : "renew"; }
  const v1::Entry& entry() const {
    return operation == kSet      ? set_response.entry()
           : operation == kDelete ? delete_response.entry()
                                  : renew_response.entry();
  }
};

Load::Load(std::vector<Endpoint>& nodes, Ledger& ledger, const LoadOptions& options)
    : nodes_(nodes),
      ledger_(ledger),
      options_(options),
      random_(options.seed),
      outstanding_(nodes.size()),
      away_until_(nodes.size()) {
  thread_ = std::thread([this] { Run(); });
}

Load::~Load() {
  Off();
  {
    const MutexLock lock(mutex_);
    quit_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void Load::On() {
  const MutexLock lock(mutex_);
  on_ = true;
  changed_.NotifyAll();
}

void Load::Off() {
  const MutexLock lock(mutex_);
  on_ = false;
  while (total_ > 0) changed_.Wait(mutex_);
}

bool Load::AwaitOn() {
  const MutexLock lock(mutex_);
  while (!on_ && !quit_) changed_.Wait(mutex_);
  return !quit_;
}

bool Load::AwaitTick() {
  const auto end = Condition::Clock::now() + std::chrono::milliseconds(kTickMs);
  const MutexLock lock(mutex_);
  while (on_ && !quit_ && changed_.WaitUntil(mutex_, end)) {
  }
  return on_ && !quit_;
}

void Load::Run() {
  while (AwaitOn()) {
    next_once_ = 0;
    int64_t due = NowUs();
    do {
      const int64_t now = NowUs();
      if (now - due > kMostBehindUs) {
        ledger_.Count("not_offered", (now - due - kMostBehindUs) * options_.rate / 1'000'000);
        due = now - kMostBehindUs;
      }
      while (due < now && Issue()) due += 1'000'000 / options_.rate;
    } while (AwaitTick());
  }
}

bool Load::Issue() {
  const int first = RandomBelow(static_cast<int>(nodes_.size()));
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const int node = static_cast<int>((first + i) % nodes_.size());
    if (outstanding_[node] >= kMostOutstanding || NowUs() < away_until_[node]) continue;
    {
      const MutexLock lock(mutex_);
      if (!on_) return false;
      ++total_;
    }
    ++outstanding_[node];
    ledger_.Count("tried");
    auto* call = new Call;  // Finish deletes it
    call->node = node;
    Fill(*call);
    auto* stub = nodes_[node].writes->async();
    const auto done = [this, call](const grpc::Status& status) { Finish(call, status); };
    switch (call->operation) {
      case Call::kSet:
        stub->Set(&call->context, &call->set, &call->set_response, done);
        break;
      case Call::kDelete:
        stub->Delete(&call->context, &call->del, &call->delete_response, done);
        break;
      case Call::kRenew:
        stub->Renew(&call->context, &call->renew, &call->renew_response, done);
        break;
    }
    return true;
  }
  return false;
}

void Load::Fill(Call& call) {
  const int kind = RandomBelow(10), number = RandomBelow(options_.keys);
  int holder = number % kHolders;
  const bool brief = RandomBelow(1000) < options_.brief;
  if (brief) {
    call.key = absl::StrCat("brief/", number / 10);
    holder = RandomBelow(kHolders);
  } else if (kind < 3) {
    call.key = absl::StrCat("once/", next_once_++);
    holder = RandomBelow(kHolders);
  } else if (kind < 9) {
    call.key = absl::StrCat("own/", number);
    call.operation = kind == 8 ? (number % 2 == 0 ? Call::kDelete : Call::kRenew) : Call::kSet;
  } else {
    call.key = absl::StrCat("hot/", number / 10);
    holder = RandomBelow(kHolders);
    if (RandomBelow(8) == 0) call.operation = Call::kDelete;
  }
  call.holder = absl::StrCat("h", holder);
  call.majority = call.operation != Call::kRenew && RandomBelow(1000) < options_.majority;
  constexpr int kLeases[] = {-1, 0, 2000, 3000, 5000, 30'000};
  call.lease_ms = kLeases[RandomBelow(std::size(kLeases))];
  if (brief || kind < 3) call.lease_ms = kShortLeaseMs;
  const auto ack = call.majority ? v1::ACK_MAJORITY : v1::ACK_LOCAL;
  call.sent = NowUs();
  if (call.operation == Call::kSet) {
    call.set.set_key(call.key);
    const std::string value = absl::StrCat("v", call.sent, std::string(20 + RandomBelow(80), '.'));
    call.set.set_value(RandomBelow(2000) == 0 ? value + std::string(kLargeValue, 'x') : value);
    call.set.set_holder(call.holder);
    call.set.set_ack(ack);
    if (brief) call.set.set_on_lapse(v1::ON_LAPSE_DELETE);
    if (call.lease_ms >= 0) call.set.mutable_lease_duration()->set_seconds(call.lease_ms / 1000);
  } else if (call.operation == Call::kDelete) {
    call.del.set_key(call.key);
    call.del.set_holder(call.holder);
    call.del.set_ack(ack);
    call.del.set_allow_missing(true);
  } else {
    call.renew.set_key(call.key);
    call.renew.set_holder(call.holder);
  }
  call.context.set_deadline(std::chrono::system_clock::now() +
                            std::chrono::milliseconds(call.majority ? kMajorityDeadlineMs : kLocalDeadlineMs));
}

void Load::Finish(Call* call, const grpc::Status& status) {
  const std::string level = call->majority ? "majority" : "local";
  if (status.ok()) {
    if (call->entry().version().empty()) {
      ledger_.Count("nothing_to_do");  // a delete of a missing key
    } else {
      ledger_.Count(absl::StrCat("acked_", level));
      Record(*call, "acked", &call->entry());
      if (++acked_ % kReadOneOf == 0) ReadElsewhere(*call);
    }
  } else {
    const std::string reason = ReasonOf(status);
    ledger_.Count(absl::StrCat("refused_", reason));
    // These three leave open whether the write stands; every other answer says that nothing was written.
    if (reason == "deadline" || reason == "unreachable" || reason == "cancelled" || reason == "ACK_INCOMPLETE" ||
        reason == "SUPERSEDED" || reason == "internal" || reason == "other") {
      Record(*call, "doubt", nullptr);
    }
    if (reason == "unreachable" || reason == "SYNCING" || reason == "DRAINING" || reason == "CLOCK_UNSAFE") {
      away_until_[call->node] = NowUs() + kAwayUs;
    }
  }
  --outstanding_[call->node];
  delete call;
  const MutexLock lock(mutex_);
  if (--total_ == 0) changed_.NotifyAll();
}

void Load::ReadElsewhere(const Call& call) {
  struct Read {
    std::string node, key;
    Rank least;
    grpc::ClientContext context;
    v1::GetRequest request;
    v1::GetResponse response;
  };
  const size_t other = (call.node + 1 + acked_ / kReadOneOf % (nodes_.size() - 1)) % nodes_.size();
  auto* read = new Read{nodes_[other].name, call.key, RankOf(call.entry()), {}, {}, {}};
  read->request.set_key(call.key);
  read->request.set_min_version(call.entry().version());
  read->context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(kLocalDeadlineMs));
  {
    const MutexLock lock(mutex_);
    ++total_;
  }
  nodes_[other].writes->async()->Get(
      &read->context, &read->request, &read->response, [this, read](grpc::Status status) {
        ledger_.Count(absl::StrCat("read_", status.ok() ? "ok" : ReasonOf(status)));
        if (status.ok() && Below(RankOf(read->response.entry()), read->least)) {
          ledger_.Line(absl::StrCat("wrong\tread of ", read->key, " at ", read->node, "\t", NowUs(), "\tversion ",
                                    read->response.entry().version(), " is older than ", read->request.min_version(),
                                    "\n"));
        }
        delete read;
        const MutexLock lock(mutex_);
        if (--total_ == 0) changed_.NotifyAll();
      });
}

void Load::Record(const Call& call, const char* outcome, const v1::Entry* entry) {
  std::string line = absl::StrCat(outcome, "\t", call.name(), "\t", call.key, "\t", nodes_[call.node].name, "\t");
  absl::StrAppend(&line, call.sent, "\t", NowUs(), "\t", call.majority ? "majority" : "local", "\t", call.holder);
  if (entry != nullptr) {
    absl::StrAppend(&line, "\t", entry->version(), "\t", entry->lease().fencing_token(), "\t",
                    entry->lease().start_time().seconds(), "\t", Ms(entry->lease().expire_time()), "\t",
                    Ms(entry->update_time()), "\t", RankOf(*entry).value_ms);
  }
  ledger_.Line(line + "\n");
}

}  // namespace leasemap::chaos

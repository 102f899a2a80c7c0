#include "leasemap/client.h"

#include <utility>

#include "clients/cpp/io/acquire.h"
#include "clients/cpp/io/operations.h"
#include "clients/cpp/io/principal.h"
#include "clients/cpp/io/waiting.h"

namespace leasemap {

using internal::Engine;

namespace {

template <typename Answer>
absl::StatusOr<Answer> FailOne(const absl::Status& status) {
  return status;
}

// A batch of which each item has this status.
auto FailEach(size_t items) {
  return [items](const absl::Status& status) { return Client::BatchAnswer(items, status); };
}

template <typename Answer, typename Start>
absl::StatusOr<Answer> Ask(Engine& engine, Start start) {
  return internal::AskAndWait<absl::StatusOr<Answer>>(engine, std::move(start), FailOne<Answer>);
}

template <typename Answer, typename Start>
void AskLater(Engine& engine, Start start, std::function<void(absl::StatusOr<Answer>)> done) {
  internal::AskAsync<absl::StatusOr<Answer>>(engine, std::move(start), FailOne<Answer>, std::move(done));
}

// What is to be done on the loop, once for both ways to ask.
auto Get(Engine& engine, std::string_view key, const GetOptions& options) {
  return [&engine, key = std::string(key), options](auto outcome) {
    internal::DoGet(engine, key, options, std::move(outcome));
  };
}
auto Set(Engine& engine, std::string_view key, std::string_view value, const SetOptions& options) {
  return [&engine, key = std::string(key), value = std::string(value), options](auto outcome) {
    internal::DoSet(engine, key, value, options, std::move(outcome));
  };
}
auto Delete(Engine& engine, std::string_view key, const DeleteOptions& options) {
  return [&engine, key = std::string(key), options](auto outcome) {
    internal::DoDelete(engine, key, options, std::move(outcome));
  };
}
auto Renew(Engine& engine, std::string_view key, const RenewOptions& options) {
  return [&engine, key = std::string(key), options](auto outcome) {
    internal::DoRenew(engine, key, options, std::move(outcome));
  };
}
auto Release(Engine& engine, std::string_view key, const ReleaseOptions& options) {
  return [&engine, key = std::string(key), options](auto outcome) {
    internal::DoRelease(engine, key, options, std::move(outcome));
  };
}
auto List(Engine& engine, std::string_view prefix, const ListOptions& options) {
  return [&engine, prefix = std::string(prefix), options](auto outcome) {
    internal::DoList(engine, prefix, options, std::move(outcome));
  };
}
auto BatchGet(Engine& engine, const std::vector<std::string>& keys, const GetOptions& options) {
  return [&engine, keys, options](auto outcome) { internal::DoBatchGet(engine, keys, options, std::move(outcome)); };
}
auto BatchSet(Engine& engine, const std::vector<std::pair<std::string, std::string>>& items,
              const SetOptions& options) {
  return [&engine, items, options](auto outcome) { internal::DoBatchSet(engine, items, options, std::move(outcome)); };
}
auto BatchDelete(Engine& engine, const std::vector<std::string>& keys, const DeleteOptions& options) {
  return [&engine, keys, options](auto outcome) { internal::DoBatchDelete(engine, keys, options, std::move(outcome)); };
}
auto Acquire(Engine& engine, std::string_view key, const LeaseOptions& options) {
  return [&engine, key = std::string(key), options](auto outcome) {
    internal::Acquiring::Start(engine, key, options, std::move(outcome));
  };
}

}  // namespace

Client::Client(const std::vector<std::string>& endpoints, const ClientOptions& options)
    : engine_(std::make_shared<Engine>(endpoints, options)) {}

Client::~Client() { Close(); }

absl::Status Client::status() const { return engine_->problem(); }
std::string Client::holder() const { return engine_->holder(); }
absl::StatusOr<std::string> Client::Identify() {
  return Ask<std::string>(*engine_, [engine = engine_.get()](auto outcome) {
    if (!engine->unnamed()) return outcome(engine->holder());
    internal::AskHolder(*engine, internal::EndOf(*engine, std::nullopt), outcome,
                        [engine, outcome] { outcome(engine->holder()); });
  });
}
std::string Client::node() const { return engine_->Node(); }
void Client::Close() { engine_->Close(); }

absl::StatusOr<Entry> Client::Get(std::string_view key, const GetOptions& options) {
  return Ask<Entry>(*engine_, leasemap::Get(*engine_, key, options));
}
void Client::GetAsync(std::string_view key, EntryDone done, const GetOptions& options) {
  AskLater<Entry>(*engine_, leasemap::Get(*engine_, key, options), std::move(done));
}

absl::StatusOr<Entry> Client::Set(std::string_view key, std::string_view value, const SetOptions& options) {
  return Ask<Entry>(*engine_, leasemap::Set(*engine_, key, value, options));
}
void Client::SetAsync(std::string_view key, std::string_view value, EntryDone done, const SetOptions& options) {
  AskLater<Entry>(*engine_, leasemap::Set(*engine_, key, value, options), std::move(done));
}

absl::StatusOr<Entry> Client::Delete(std::string_view key, const DeleteOptions& options) {
  return Ask<Entry>(*engine_, leasemap::Delete(*engine_, key, options));
}
void Client::DeleteAsync(std::string_view key, EntryDone done, const DeleteOptions& options) {
  AskLater<Entry>(*engine_, leasemap::Delete(*engine_, key, options), std::move(done));
}

absl::StatusOr<Entry> Client::Renew(std::string_view key, const RenewOptions& options) {
  return Ask<Entry>(*engine_, leasemap::Renew(*engine_, key, options));
}
void Client::RenewAsync(std::string_view key, EntryDone done, const RenewOptions& options) {
  AskLater<Entry>(*engine_, leasemap::Renew(*engine_, key, options), std::move(done));
}

absl::StatusOr<Entry> Client::Release(std::string_view key, const ReleaseOptions& options) {
  return Ask<Entry>(*engine_, leasemap::Release(*engine_, key, options));
}
void Client::ReleaseAsync(std::string_view key, EntryDone done, const ReleaseOptions& options) {
  AskLater<Entry>(*engine_, leasemap::Release(*engine_, key, options), std::move(done));
}

absl::StatusOr<ListPage> Client::List(std::string_view prefix, const ListOptions& options) {
  return Ask<ListPage>(*engine_, leasemap::List(*engine_, prefix, options));
}
void Client::ListAsync(std::string_view prefix, std::function<void(absl::StatusOr<ListPage>)> done,
                       const ListOptions& options) {
  AskLater<ListPage>(*engine_, leasemap::List(*engine_, prefix, options), std::move(done));
}

absl::Status Client::ForEach(std::string_view prefix, const std::function<bool(const Entry&)>& visit,
                             const ListOptions& options) {
  ListOptions page = options;
  do {
    const absl::StatusOr<ListPage> found = List(prefix, page);
    if (!found.ok()) return found.status();
    for (const Entry& entry : found->entries) {
      if (!visit(entry)) return absl::OkStatus();
    }
    page.page_token = found->next_page_token;
  } while (!page.page_token.empty());
  return absl::OkStatus();
}

Client::BatchAnswer Client::BatchGet(const std::vector<std::string>& keys, const GetOptions& options) {
  return internal::AskAndWait<BatchAnswer>(*engine_, leasemap::BatchGet(*engine_, keys, options),
                                           FailEach(keys.size()));
}
void Client::BatchGetAsync(const std::vector<std::string>& keys, std::function<void(BatchAnswer)> done,
                           const GetOptions& options) {
  internal::AskAsync<BatchAnswer>(*engine_, leasemap::BatchGet(*engine_, keys, options), FailEach(keys.size()),
                                  std::move(done));
}

Client::BatchAnswer Client::BatchSet(const std::vector<std::pair<std::string, std::string>>& items,
                                     const SetOptions& options) {
  return internal::AskAndWait<BatchAnswer>(*engine_, leasemap::BatchSet(*engine_, items, options),
                                           FailEach(items.size()));
}
void Client::BatchSetAsync(const std::vector<std::pair<std::string, std::string>>& items,
                           std::function<void(BatchAnswer)> done, const SetOptions& options) {
  internal::AskAsync<BatchAnswer>(*engine_, leasemap::BatchSet(*engine_, items, options), FailEach(items.size()),
                                  std::move(done));
}

Client::BatchAnswer Client::BatchDelete(const std::vector<std::string>& keys, const DeleteOptions& options) {
  return internal::AskAndWait<BatchAnswer>(*engine_, leasemap::BatchDelete(*engine_, keys, options),
                                           FailEach(keys.size()));
}
void Client::BatchDeleteAsync(const std::vector<std::string>& keys, std::function<void(BatchAnswer)> done,
                              const DeleteOptions& options) {
  internal::AskAsync<BatchAnswer>(*engine_, leasemap::BatchDelete(*engine_, keys, options), FailEach(keys.size()),
                                  std::move(done));
}

absl::StatusOr<Lease> Client::Acquire(std::string_view key, const LeaseOptions& options) {
  auto held = Ask<internal::LeasePtr>(*engine_, leasemap::Acquire(*engine_, key, options));
  if (!held.ok()) return held.status();
  return Lease(engine_, *std::move(held));
}
void Client::AcquireAsync(std::string_view key, std::function<void(absl::StatusOr<Lease>)> done,
                          const LeaseOptions& options) {
  AskLater<internal::LeasePtr>(*engine_, leasemap::Acquire(*engine_, key, options),
                               [engine = engine_, done = std::move(done)](absl::StatusOr<internal::LeasePtr> held) {
                                 if (!held.ok()) return done(held.status());
                                 done(Lease(engine, *std::move(held)));
                               });
}

}  // namespace leasemap

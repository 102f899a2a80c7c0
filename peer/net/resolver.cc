#include "peer/net/resolver.h"

#include <netdb.h>

#include <chrono>
#include <cstring>
#include <map>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "asio/ip/tcp.hpp"
#include "asio/post.hpp"
#include "asio/steady_timer.hpp"
#include "peer/core/data/limits.h"
#include "peer/threads/mutex.h"

namespace leasemap::net {
namespace {

struct Answer {
  std::string error;
  std::vector<asio::ip::address> addresses;
};

// In the order that the host prefers (RFC 6724).
Answer LookUp(const std::string& host, int family) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
    return {error == EAI_SYSTEM ? std::generic_category().message(errno) : gai_strerror(error), {}};
  }
  Answer answer;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    asio::ip::tcp::endpoint endpoint;
    if (one->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), one->ai_addr, one->ai_addrlen);
    answer.addresses.push_back(endpoint.address());
  }
  freeaddrinfo(found);
  if (answer.addresses.empty()) answer.error = "the name has no address";
  return answer;
}

}  // namespace

// One call of Resolve.
struct Resolver::Request {
  Request(asio::io_context& io, Done then) : done(std::move(then)), timer(io) {}

  void Take(const std::shared_ptr<Request>& self, const Answer& answer) {
    if (done == nullptr) return;  // it was answered without this family
    addresses.insert(addresses.end(), answer.addresses.begin(), answer.addresses.end());
    if (!answer.error.empty()) error = answer.error;
    if (--missing == 0) return Finish();
    if (!addresses.empty()) Await(self, kOtherFamilyMs);
  }
  void Await(const std::shared_ptr<Request>& self, int64_t ms) {
    timer.expires_after(std::chrono::milliseconds(ms));
    timer.async_wait([self](const asio::error_code& cancelled) {
      if (!cancelled && self->done != nullptr) self->Finish();
    });
  }
  void Finish() {
    const auto then = std::exchange(done, nullptr);
    timer.cancel();
    if (missing > 0) error = absl::StrCat("the name servers did not answer within ", core::kResolveMs / 1000, " s");
    then(addresses.empty() ? error : "", addresses);
  }

  Done done;  // null once it was called
  asio::steady_timer timer;
  int missing = 2;  // families that have not answered
  std::string error;
  std::vector<asio::ip::address> addresses;
};

struct Resolver::State {
  // By name and family: who waits for a lookup that is under way. Network thread only.
  std::map<std::pair<std::string, int>, std::vector<std::shared_ptr<Request>>> lookups;
  Mutex mutex;
  // Null once the resolver stopped.
  asio::io_context* io ABSL_GUARDED_BY(mutex);

  static void Start(const std::shared_ptr<State>& state, const std::string& host, int family) {
    std::thread([state, host, family] {
      Answer answer = LookUp(host, family);
      const MutexLock lock(state->mutex);
      if (state->io == nullptr) return;
      asio::post(*state->io, [state, host, family, answer = std::move(answer)] {
        const auto waiting = state->lookups.extract(std::pair(host, family));
        if (waiting.empty()) return;
        for (const auto& request : waiting.mapped()) request->Take(request, answer);
      });
    }).detach();
  }
};

Resolver::Resolver(asio::io_context& io) : state_(std::make_shared<State>()) { state_->io = &io; }

Resolver::~Resolver() { Stop(); }

void Resolver::Stop() {
  const MutexLock lock(state_->mutex);
  state_->io = nullptr;
  for (auto& [name, requests] : state_->lookups) {
    for (auto& request : requests) request->done = nullptr;
  }
  state_->lookups.clear();
}

void Resolver::Resolve(const std::string& host, Done done) {
  asio::io_context* io = nullptr;
  {
    const MutexLock lock(state_->mutex);
    io = state_->io;
  }
  if (io == nullptr) return;
  if (state_->lookups.size() + 2 > kMaxLookups) {
    asio::post(*io, [done = std::move(done)] { done("too many names are being resolved", {}); });
    return;
  }
  const auto request = std::make_shared<Request>(*io, std::move(done));
  request->Await(request, core::kResolveMs);
  for (const int family : {AF_INET, AF_INET6}) {
    const auto [lookup, fresh] = state_->lookups.try_emplace({host, family});
    auto& waiting = lookup->second;
    std::erase_if(waiting, [](const auto& other) { return other->done == nullptr; });  // they gave up
    waiting.push_back(request);
    if (fresh) State::Start(state_, host, family);
  }
}

}  // namespace leasemap::net

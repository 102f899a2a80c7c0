// The client of Leasemap, a synced map: calls, watches and leases at one node of a cluster, and at the next one when
// that fails.
//
//   leasemap::Client client({"127.0.0.1:7400", "127.0.0.1:7410"});
//   absl::StatusOr<leasemap::Entry> entry = client.Set("color", "blue", {.lease = absl::ZeroDuration()});
//   if (leasemap::ReasonOf(entry.status()) == leasemap::reason::kLeaseHeld) …
//
// Nothing here throws. errors.h says how errors are read; each call may end with
//   kUnavailable      no node answered in time, or each said that it does not serve now; a write may have been done
//   kInvalidArgument  the call breaks a limit or a rule (docs/limits.md); nothing was changed
//   kPermissionDenied, kUnauthenticated  the caller may not do this, or the nodes do not know it; not tried again
//   CLOSED            the client was closed
// and with what its comment names besides.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "leasemap/entry.h"
#include "leasemap/errors.h"
#include "leasemap/lease.h"
#include "leasemap/options.h"
#include "leasemap/subscription.h"

namespace leasemap {

namespace internal {
class Engine;
}  // namespace internal

// A page of List.
struct ListPage {
  std::vector<Entry> entries;  // in bytewise order of their keys
  // For ListOptions::page_token; empty on the last page.
  std::string next_page_token;
};

// All calls may be made by many threads at once. Calls named …Async return at once and call `done` later, on the
// client's one thread for handlers; 10,000 of them may be under way, and one more is refused with CALL_LIMIT before the
// call returns. `done` may take its time and may make calls that wait: it then holds up other handlers only. No handler
// may throw.
class Client {
 public:
  using EntryDone = std::function<void(absl::StatusOr<Entry>)>;
  using BatchAnswer = std::vector<absl::StatusOr<Entry>>;

  // For the nodes at these endpoints: host:port each, or several with commas between. A name means all its addresses,
  // each of which is a node; names are looked up at once, and again when all nodes fail. The client starts at a random
  // node and stays there until that one fails. No connection is made before the first call. If an endpoint is no
  // host:port, or an option is wrong, every call says so (kInvalidArgument).
  explicit Client(const std::vector<std::string>& endpoints, const ClientOptions& options = {});
  // Closes it.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // OK, or what is wrong with the endpoints or options: then every call gives this.
  absl::Status status() const;
  // In whose name this client writes and holds leases. Without ClientOptions::holder, a client with a token,
  // certificate or credentials learns before its first write or lease by which name P the nodes know it, and is
  // P/host-pid-random from then on; before that it is without the P/.
  std::string holder() const;
  // Asks a node by which name it knows this client, unless that is known, and returns the holder. Writes do it by
  // themselves.
  absl::StatusOr<std::string> Identify();
  // host:port of the node that the client asks now.
  std::string node() const;

  // Gives up the leases that the client keeps, which takes 3 s at most, and ends its maps, watches and calls under way.
  // Leases of plain writes stay. When it returns none of the client's threads runs any more (but the one that calls, if
  // a handler does). May be called again.
  void Close();

  // Reads the key as the client's node has it now. KEY_NOT_FOUND; with min_version also NOT_CAUGHT_UP.
  absl::StatusOr<Entry> Get(std::string_view key, const GetOptions& options = {});
  void GetAsync(std::string_view key, EntryDone done, const GetOptions& options = {});

  // Writes the key if no other holder's lease on it is live, takes or renews the lease, and returns the entry. The
  // duration of a lease that this client keeps is not changed. A try whose answer was lost is not done twice.
  // LEASE_HELD, VERSION_MISMATCH; kResourceExhausted; with acks also SUPERSEDED, and ACK_INCOMPLETE (the write
  // remains).
  absl::StatusOr<Entry> Set(std::string_view key, std::string_view value, const SetOptions& options = {});
  void SetAsync(std::string_view key, std::string_view value, EntryDone done, const SetOptions& options = {});

  // Deletes the key under the same rule as Set, gives its lease up, and returns the new entry. Errors as of Set, and
  // KEY_NOT_FOUND.
  absl::StatusOr<Entry> Delete(std::string_view key, const DeleteOptions& options = {});
  void DeleteAsync(std::string_view key, EntryDone done, const DeleteOptions& options = {});

  // Renews this holder's lease on the key once, without a new value. A lease that lapsed, or none, is acquired unless
  // only_if_held. To keep a lease alive use Acquire. KEY_NOT_FOUND, LEASE_HELD, LEASE_NOT_HELD; kUnimplemented where
  // leasing is off.
  absl::StatusOr<Entry> Renew(std::string_view key, const RenewOptions& options = {});
  void RenewAsync(std::string_view key, EntryDone done, const RenewOptions& options = {});

  // Gives this holder's lease on the key up, so that anyone may write it. The value stays, but an ephemeral key
  // vanishes. A lease that lapsed, or none, changes nothing. KEY_NOT_FOUND, LEASE_HELD; kUnimplemented where leasing is
  // off.
  absl::StatusOr<Entry> Release(std::string_view key, const ReleaseOptions& options = {});
  void ReleaseAsync(std::string_view key, EntryDone done, const ReleaseOptions& options = {});

  // One page of the entries whose keys start with the prefix, of the client's node; the map may change between pages.
  absl::StatusOr<ListPage> List(std::string_view prefix, const ListOptions& options = {});
  void ListAsync(std::string_view prefix, std::function<void(absl::StatusOr<ListPage>)> done,
                 const ListOptions& options = {});
  // Goes over all pages: calls `visit` for each entry, on this thread, until it returns false. The timeout is for each
  // page.
  absl::Status ForEach(std::string_view prefix, const std::function<bool(const Entry&)>& visit,
                       const ListOptions& options = {});

  // Many keys with few calls of 1,000 keys and 4 MiB each; the timeout is for each of them. One result for each item,
  // in order. It is no transaction: some items may be refused while others are done, and readers may see a batch half
  // done. A missing key is KEY_NOT_FOUND. HeldByOf of an item's LEASE_HELD has no facts.
  BatchAnswer BatchGet(const std::vector<std::string>& keys, const GetOptions& options = {});
  void BatchGetAsync(const std::vector<std::string>& keys, std::function<void(BatchAnswer)> done,
                     const GetOptions& options = {});
  BatchAnswer BatchSet(const std::vector<std::pair<std::string, std::string>>& items, const SetOptions& options = {});
  void BatchSetAsync(const std::vector<std::pair<std::string, std::string>>& items,
                     std::function<void(BatchAnswer)> done, const SetOptions& options = {});
  BatchAnswer BatchDelete(const std::vector<std::string>& keys, const DeleteOptions& options = {});
  void BatchDeleteAsync(const std::vector<std::string>& keys, std::function<void(BatchAnswer)> done,
                        const DeleteOptions& options = {});

  // Calls `handler` for each change of the keys that the options name, as they come, on the client's thread for
  // handlers, until the subscription goes. When the watch's node fails it continues at the next one, from its last
  // cursor: no event is lost, and none comes twice. A write that only the failed node had is taken back: the handler
  // gets the present entry of its key, as kSet or kDeleted. A handler that is slow slows its watch alone, and skips
  // versions that were replaced meanwhile. If the watch ends by itself, `ended` is called with the reason:
  // CURSOR_EXPIRED, CURSOR_INVALID (take a snapshot), kInvalidArgument, kPermissionDenied, kUnauthenticated,
  // kUnimplemented, CLOSED.
  [[nodiscard]] Subscription Watch(const WatchOptions& options, std::function<void(const Event&)> handler,
                                   std::function<void(const absl::Status&)> ended = nullptr);

  // Takes a lease on the key and keeps it: renewed in the background after each third of its duration, until it is
  // released, its Lease goes, or it is lost. LEASE_HELD if another holder has it, at once, or after LeaseOptions::wait.
  // A key that exists keeps its value; one that does not is made, and vanishes with the lease (value, persistent).
  //
  // It is not mutual exclusion by itself: two programs that ask two nodes in the same moment, or on two sides of a
  // network partition, may each be granted a lease on one key. When the nodes have exchanged both, one lease remains,
  // and the other is lost. Guard outside resources with the fencing token. LeaseOptions::ack sets which nodes must have
  // the lease:
  //   Local     (the default here) the node that was asked. It works on both sides of a partition. All who wait for a
  //             release may be granted the lease at once, each by another node, until the nodes have exchanged the
  //             grants.
  //   Majority  (the default of Lock and Election) more than half of the remembered members. The smaller side of a
  //             partition grants nothing, and the death of a node takes nothing back. Two that race may still both have
  //             it for the time of a message.
  //   All       of several that race at most one gets it. If one remembered member does not answer, none gets it.
  // Further errors: ACK_INCOMPLETE (too few nodes answered; the client gives the lease up); kUnimplemented where
  // leasing is off.
  absl::StatusOr<Lease> Acquire(std::string_view key, const LeaseOptions& options = {});
  void AcquireAsync(std::string_view key, std::function<void(absl::StatusOr<Lease>)> done,
                    const LeaseOptions& options = {});

  // For the library's other classes.
  const std::shared_ptr<internal::Engine>& engine() const { return engine_; }

 private:
  std::shared_ptr<internal::Engine> engine_;
};

}  // namespace leasemap

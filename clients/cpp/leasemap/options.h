// The choices that programs have. All have defaults; give some by designated initializers:
//
//   client.Set("color", "blue", {.lease = absl::Seconds(30), .ephemeral = true});
//
// Durations are of milliseconds: the rest is rounded off. The empty initializers keep -Wextra of programs quiet.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "leasemap/entry.h"

namespace grpc {
class ChannelCredentials;
}  // namespace grpc

namespace leasemap {

// Which nodes must have a write before it is answered.
class Ack {
 public:
  // The node that takes the write alone. If it dies before it sent the write on, the write is gone.
  static constexpr Ack Local() { return Ack(0); }
  // More than half of the remembered members.
  static constexpr Ack Majority() { return Ack(-1); }
  // All remembered members: of several racing writers of a key at most one gets this.
  static constexpr Ack All() { return Ack(-2); }
  // This number of nodes, the one that takes the write included: 1 to 129, as many members as a cluster may have.
  static constexpr Ack Nodes(int nodes) { return Ack(nodes == 0 ? kNone : nodes); }

  constexpr bool operator==(const Ack&) const = default;
  // The node that takes the write is enough: nobody waits for another.
  constexpr bool IsLocal() const { return number_ == 0 || number_ == 1; }
  constexpr bool IsMajority() const { return number_ == -1; }
  constexpr bool IsAll() const { return number_ == -2; }
  constexpr int number() const { return number_; }

 private:
  static constexpr int kNone = -3;  // no node has the write: a request that is refused
  constexpr explicit Ack(int number) : number_(number) {}
  int number_;
};

// For the whole client.
struct ClientOptions {
  // In whose name the client writes and holds leases: 1 to 255 bytes of printable UTF-8. Empty: a name of the client's
  // own, of host, process and chance, which stays the same while the client moves between nodes; where the nodes know
  // the client by a name P it begins with P/ (Client::Identify). Give a name, P or P/name, to each program that must
  // keep its leases over a restart. Two clients of one holder do not keep each other out.
  std::string holder = {};
  // The lease of a Set that gives none: 0 for no lease, else at least four times the cluster's clock bound (2 s).
  // Unset: the cluster's default, an hour. Such leases are not renewed, and not given up when the client is closed; use
  // Client::Acquire for that.
  std::optional<absl::Duration> lease = {};
  // How long a call may take, with all its tries at all nodes, if the call's own options do not say.
  absl::Duration timeout = absl::Seconds(5);
  // TLS: a file (PEM) of the authorities whose nodes are trusted, empty for those of the system; and files of the
  // client's own certificate and its key (PEM, not encrypted), both or none, for nodes that ask for one. The name or
  // address in the endpoint must be in the node's certificate. Files that were replaced count when a connection fails
  // and the next one is made. All empty, and no `credentials`: plain text.
  std::string tls_ca = {}, tls_cert = {}, tls_key = {};
  // In place of these files, credentials of gRPC's own.
  std::shared_ptr<grpc::ChannelCredentials> credentials = {};
  // Sent with each call as `authorization: Bearer TOKEN`: this token, or what is in this file, which is read again when
  // it changes; white space around it does not count.
  std::string token = {}, token_file = {};
  // Send the token in plain text beyond loopback, too, where the way to the nodes is safe by itself. Else every call is
  // kInvalidArgument.
  bool insecure_token = false;
};

// These options, and from the environment what it sets of LEASEMAP_TLS_CA, LEASEMAP_TLS_CERT, LEASEMAP_TLS_KEY,
// LEASEMAP_TOKEN and LEASEMAP_TOKEN_FILE; a file wins over a token, as for the command line. Nothing else in this
// library reads the environment. No other thread may change the environment meanwhile.
ClientOptions FromEnvironment(ClientOptions options = {});

struct GetOptions {
  // Read once the node has the write of this version, or one that replaced it: so a program sees what it saw or wrote
  // elsewhere. A node waits for 5 s at most.
  std::string min_version = {};
  std::optional<absl::Duration> timeout = {};
};

struct SetOptions {
  // The duration of the lease (ClientOptions::lease has the rules). Unset: the client's.
  std::optional<absl::Duration> lease = {};
  // The key vanishes, on every node, when the lease lapses. It needs a lease.
  bool ephemeral = false;
  // Write only if this is the key's present version, or that of the write that set its value; a missing key is a
  // mismatch.
  std::string if_version = {};
  // Write only if the key does not exist.
  bool if_absent = false;
  // Mark the value as bytes. A value that is not UTF-8 always is.
  bool binary = false;
  Ack ack = Ack::Local();
  std::optional<absl::Duration> timeout = {};
};

struct DeleteOptions {
  std::string if_version = {};
  // A key that does not exist is no error; the answer is an entry without a version then.
  bool allow_missing = false;
  Ack ack = Ack::Local();
  std::optional<absl::Duration> timeout = {};
};

struct RenewOptions {
  // For how long, from now on. Unset: as long as last asked for.
  std::optional<absl::Duration> lease = {};
  // Refuse (LEASE_NOT_HELD) to acquire a lease where the own one has ended.
  bool only_if_held = false;
  std::optional<absl::Duration> timeout = {};
};

struct ReleaseOptions {
  std::optional<absl::Duration> timeout = {};
};

struct ListOptions {
  // Entries a page, 1 to 1,000. A page ends at 1 MiB, too.
  int page_size = 1000;
  // ListPage::next_page_token of the page before; empty: the first page.
  std::string page_token = {};
  // Leave the values out.
  bool keys_only = false;
  std::optional<absl::Duration> timeout = {};
};

struct WatchOptions {
  // The keys that start with one of these (64 at most), and these keys (1,000 at most). Without both: the whole map.
  std::vector<std::string> prefixes = {};
  std::vector<std::string> keys = {};
  // Begin with the present entry of every matching key, as kSet. Without it, and without a cursor, the watch begins
  // now.
  bool snapshot = false;
  // Resume after this cursor, which a bookmark of a watch for the same keys and kinds gave, at any node. Not with
  // `snapshot`.
  std::string cursor = {};
  // Empty: kSet, kDeleted and kExpired. kLost comes from the node that took the write alone, and no cursor covers it.
  std::vector<Kind> kinds = {};
  // Leave the values out.
  bool keys_only = false;
  // Events of kBookmark: one with each cursor, at least every 15 s at the head of the changes, and one at the end of a
  // snapshot.
  bool bookmarks = false;
};

// For a lease that is kept: Client::Acquire, Lock, Election, Registry.
struct LeaseOptions {
  // Of the lease, and of each renewal: at least four times the cluster's clock bound (2 s). Others wait for this time
  // if this program dies. For three quarters of it this program may be cut off without losing the lease.
  absl::Duration duration = absl::Seconds(10);
  // Written with the lease. Unset: a key that exists keeps its value, and one that does not is made with the holder for
  // a value.
  std::optional<std::string> value = {};
  // Write the holder with the lease if `value` is unset, into a key that exists, too.
  bool holder_as_value = false;
  // A key that is made for the lease stays when the lease ends. By default it vanishes.
  bool persistent = false;
  // How long to wait for another holder's lease to end, and for nodes to answer. 0: not at all;
  // absl::InfiniteDuration(): until the client is closed.
  absl::Duration wait = absl::ZeroDuration();
  // Which nodes must have the lease. Unset: Local for Acquire and Registry, Majority for Lock and Election.
  std::optional<Ack> ack = {};
};

struct MapOptions {
  // What all keys of the map start with; empty: the whole map.
  std::string prefix = {};
};

}  // namespace leasemap

// What nodes say to each other, as the core sees it. peer/wire turns these into protos/leasemap/peer/v1/peer.proto.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "peer/core/data/entry.h"
#include "peer/core/data/version_vector.h"

namespace leasemap::core {

// Protocol versions that this build speaks; a link uses the highest that both sides speak. Version 6 is the first of a
// release (docs/decisions/0029): from the next one on a node speaks the version before, too.
inline constexpr uint32_t kProtocolMin = 6;
inline constexpr uint32_t kProtocolMax = 6;

// Names a link of a node while it lives. The shell counts them up from 1, and never uses one twice. A type of its own,
// so that no other number is taken for one.
enum class LinkId : uint64_t { kNone = 0 };
constexpr LinkId Next(LinkId link) { return LinkId{static_cast<uint64_t>(link) + 1}; }
using VectorPtr = std::shared_ptr<const VersionVector>;

// What is said of a member counts within an incarnation: even, it is a member; odd, it left or was forgotten. The upper
// half counts its own words: odd from when it said that it leaves, even again from a new handshake on. So a
// member that takes a leave for an error, and raises the count by one, does not raise it above the leave.
struct Generation {
  static constexpr int kOwnWords = 32;  // bits below them
  static bool IsGone(uint64_t count) { return count % 2 != 0; }
  // It said so itself.
  static bool HasLeft(uint64_t count) { return IsGone(count) && (count >> kOwnWords) % 2 != 0; }
  // The same; where somebody raised a leave by one, the leave.
  static uint64_t Settled(uint64_t count) { return count + ((count >> kOwnWords) % 2 != 0 && !IsGone(count) ? 1 : 0); }
  // After `count`: it says itself that it leaves.
  static uint64_t Leave(uint64_t count) {
    if ((count >> kOwnWords) % 2 != 0) return Settled(count);
    return (((count >> kOwnWords) + 1) << kOwnWords) + 1;
  }
  // After `count`: it is there.
  static uint64_t Back(uint64_t count) {
    if (!IsGone(count)) return count;
    return HasLeft(count) ? ((count >> kOwnWords) + 1) << kOwnWords : count + 1;
  }
};

// What is known of a member. Of two records the one with the higher (incarnation, generation) wins, so that they
// spread like entries.
struct MemberInfo {
  ReplicaId id;
  std::string address;
  uint64_t generation = 0;  // Generation
  bool gone() const { return Generation::IsGone(generation); }
  bool operator==(const MemberInfo&) const = default;
};

// What another member covered when its neighbour heard of it last.
struct Relay {
  ReplicaId member;
  VectorPtr vector;
};

// Whom the sender of a report knows, and whom it is linked with.
struct Peers {
  std::vector<MemberInfo> members;  // the sender among them, so that it can say that it leaves
  std::vector<std::string> linked;  // node IDs, ascending
  bool operator==(const Peers&) const = default;
};
using PeersPtr = std::shared_ptr<const Peers>;

// What the sender covers, whom it knows, whom it is linked with, and what it heard from those the receiver may not be
// linked with. A report says what is there; it is never joined.
struct Report {
  VectorPtr vector = std::make_shared<VersionVector>();
  bool cut_short = false;
  VectorPtr floor;        // in a handshake only: what of the deletes the sender has collected; null elsewhere
  bool whole = false;     // the sender has the map: it was ready once, and not reset since
  bool settled = false;   // the sender has no map, and waits for nobody but linked members who have none either
  uint64_t keys = 0;      // in a handshake only: how many the sender's map has, for people; 0: none, or not said
  uint64_t map_hash = 0;  // Store::hash() at this vector; 0: not to be compared
  // The sender's ceiling (ceiling.h; 0: it needs none). Nothing is said by who is not sure of its clock, but in a
  // handshake, in which the clocks are compared.
  std::optional<int64_t> ceiling_ms;
  bool holds_map = false;        // it is ready, and something was ever written to its map
  bool disk_stopped = false;     // its disk takes nothing, so the vector may not move for long
  uint64_t rights_hash = 0;      // of the file of rights that the sender goes by; 0: it has none
  uint64_t collected_epoch = 0;  // in a handshake only: the highest that the sender knows to be collected
  PeersPtr peers = std::make_shared<Peers>();
  std::vector<Relay> relays;
};

// Whom the certificate names that the other end of a link has shown.
struct Certified {
  std::string name;
  bool is_node = true;  // or a client
};
struct Hello {
  uint32_t protocol_min = kProtocolMin;
  uint32_t protocol_max = kProtocolMax;
  std::string cluster;
  bool leasing = true;
  int64_t period_ms = 0;
  ReplicaId self;
  int64_t wall_ms = 0;
  std::string advertise;                 // host:port of the sender's mesh port
  std::optional<bool> has_map{};         // Report::whole of the sender; nullopt: it does not say
  std::optional<Certified> certified{};  // of TLS, from the transport and not from the wire; none over plain text
};
struct Accept {
  int64_t wall_ms = 0;
  Report report;
};
struct Refuse {
  std::string reason;
  std::string message;
  bool has_map = true;  // Report::whole of the sender; true where it does not say
};
struct Ping {
  uint64_t token = 0;
};
struct Pong {
  uint64_t token = 0;
  int64_t wall_ms = 0;
};
struct Live {
  std::vector<EntryPtr> entries;
  bool report_now = false;  // an ack is waited for: report at once
};
struct SessionRequest {
  uint64_t session = 0;
  VectorPtr vector;
  // Not empty: the maps differ at equal vectors. Whatever the vector covers, everything is sent of the buckets whose
  // hash (Store::hashes) is not the sender's.
  std::vector<uint64_t> buckets = {};
};
struct SessionEntries {
  uint64_t session = 0;
  std::vector<EntryPtr> entries;
};
struct SessionEnd {
  uint64_t session = 0;
  VectorPtr vector;
  VectorPtr floor =
      std::make_shared<VersionVector>();  // of the sender: what deletes the vector covers without an entry
};
struct Broadcast {
  std::string payload;
};
// How does the receiver see this key?
struct Query {
  uint64_t token = 0;
  std::string key;
};
struct QueryReply {
  uint64_t token = 0;
  EntryPtr entry;  // without its value; null: there is none
  VectorPtr vector = std::make_shared<VersionVector>();
};

using Message = std::variant<Hello, Accept, Refuse, Ping, Pong, Report, Live, SessionRequest, SessionEntries,
                             SessionEnd, Broadcast, Query, QueryReply>;

}  // namespace leasemap::core

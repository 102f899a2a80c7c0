// Whom this node knows, and whom it dials.
//
// A member is remembered by its node ID from its first accepted handshake, or from a peer's naming it. What is dialled
// is addresses: those that the seeds' names stand for, and those of members. An address is tried again for ever, with
// exponential back-off and jitter, unless it is this node itself or the member there is linked already.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "peer/core/effects.h"
#include "peer/core/message.h"
#include "peer/core/timing.h"

namespace leasemap::core {

// A small seeded generator (SplitMix64) for jitter: the core has no randomness of its own.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  int64_t Below(int64_t bound) { return static_cast<int64_t>(Next() % static_cast<uint64_t>(bound)); }

 private:
  uint64_t state_;
};

struct Member {
  ReplicaId id;         // the latest incarnation that was met
  std::string address;  // as it advertised itself last
  bool linked = false;
  int64_t heard_mono_ms = 0;  // when it was last heard, or first named
  int64_t heard_wall_ms = 0;  // 0: never
  int64_t lost_mono_ms = 0;   // when its last link ended; 0: never had one that did
  int64_t offset_ms = 0;      // its clock less ours, as measured last
  bool measured = false;
  // The last whole report of it, on its own link or relayed; null if none.
  VectorPtr report;
  uint64_t report_incarnation = 0;  // whose report it is: not its successor's
  int64_t report_mono_ms = 0;
  std::string relayed_by;  // empty: its own link
};

class Membership {
 public:
  Membership(std::string self, std::vector<std::string> seeds, uint64_t seed, Timing timing = {});

  // --- members
  std::map<std::string, Member>& members() { return members_; }
  const std::map<std::string, Member>& members() const { return members_; }
  // The member of this ID, made if there is room for it; null if not, or if it is this node.
  Member* Remember(const ReplicaId& id, const std::string& address, int64_t mono_ms);
  // Makes sure that a member's address is dialled.
  void LearnAddress(const std::string& node, const std::string& address, int64_t mono_ms);
  // The member is at this address now: others that only it was said to have are dialled no more.
  void Moved(const std::string& node, const std::string& address, int64_t mono_ms);

  // --- seeds and addresses
  void OnResolved(const std::string& seed, const std::vector<std::string>& addresses, int64_t mono_ms);
  void OnDialFailed(const std::string& address, int64_t mono_ms);
  void OnRefused(const std::string& address, int64_t mono_ms);
  void OnSelf(const std::string& address);
  void OnAnswered(const std::string& address, const std::string& node);  // the handshake there succeeded
  void OnLost(const std::string& address, int64_t mono_ms);              // its link ended, or was a duplicate
  // Appends what is due to `effects`.
  void Tick(int64_t mono_ms, Effects& effects);
  int64_t NextDue(int64_t mono_ms) const;

  // Each seed and address has answered or failed once.
  bool AllTried() const;
  // Some address refused this node in its last try.
  bool AnyRefused() const;

 private:
  friend struct Inside;  // see node.h

  struct Seed {
    std::string name;
    int64_t next_ms = 0;
    bool resolving = false;
    bool tried = false;
    std::set<std::string> addresses;
  };
  struct Target {
    std::string node;  // who answered there last, or is said to be there; may be empty
    bool seed = false;
    bool self = false;
    bool dialing = false;  // a dial or a link of that dial is under way
    bool answered = false, failed = false, refused = false;
    int64_t next_ms = 0;
    int64_t backoff_ms = 0;
  };

  Target* Find(const std::string& address);
  void Retry(Target& target, int64_t mono_ms, int64_t least_ms);
  bool Linked(const Target& target) const;

  const std::string self_;
  const Timing timing_;
  Random random_;
  std::vector<Seed> seeds_;
  std::map<std::string, Target> targets_;
  std::map<std::string, Member> members_;
};

}  // namespace leasemap::core

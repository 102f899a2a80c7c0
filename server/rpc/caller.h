// Who makes a call, and what it may do. Each question that is answered with a refusal puts a line into the audit log,
// and so does each call that is said to be done.
//
// Without --auth-file there are no rights: every question is answered with OK, nothing is logged, and the default
// holder is the node's ID.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "peer/core/data/entry.h"
#include "peer/core/sync/owners.h"
#include "server/rights/principal.h"
#include "server/rpc/audit.h"

namespace leasemap::rpc {

// What a caller proved itself with: a token, by its hash, or a client certificate, by the name in it.
struct Proof {
  enum class Kind { kToken, kCertificate };
  Kind kind = Kind::kToken;
  std::string value;
};

// What a watch asks for. Both empty: every key.
struct WatchScope {
  std::vector<std::string> prefixes, keys;
};

class Caller {
 public:
  // There are no rights. `node_id` must outlive it.
  explicit Caller(const std::string& node_id) : node_id_(&node_id) {}
  // `call`: as "Set"; `peer`: as gRPC names the connection.
  Caller(rights::PrincipalPtr principal, Proof proof, std::string call, std::string peer, Audit& audit);

  bool has_rights() const { return who_ != nullptr; }
  // Only with rights.
  const rights::Principal& principal() const { return *who_->principal; }
  const rights::PrincipalPtr& principal_ptr() const { return who_->principal; }
  const Proof& proof() const { return who_->proof; }
  const std::string& call() const { return who_->call; }
  const std::string& peer() const { return who_->peer; }
  // The same call, now that the principal has other rights.
  Caller With(rights::PrincipalPtr principal) const;

  // Of a write that names none.
  const std::string& default_holder() const { return who_ ? who_->principal->name : *node_id_; }

  // What its holders may have of the map; 0: no bound.
  core::Owners::Use may_own() const {
    return who_ ? core::Owners::Use{who_->principal->keys, who_->principal->bytes} : core::Owners::Use{};
  }

  // OK or PERMISSION_DENIED, whose message is the same whatever is in the map.
  absl::Status MayRead(std::string_view key) const;
  absl::Status MayReadAll() const;
  absl::Status MayReadPrefix(std::string_view prefix) const;
  absl::Status MayReadRange(std::string_view start, std::string_view end) const;
  absl::Status MayWatch(const WatchScope& scope) const;
  // `holder`: as the request has it; empty: the default.
  absl::Status MayWrite(std::string_view key, std::string_view holder) const;
  absl::Status MayAdminister(std::string_view node = "") const;

  // An administrator's call was taken or refused; `node`: that it is about.
  void Administered(const absl::Status& outcome, std::string_view node = "") const;

 private:
  struct Who {
    rights::PrincipalPtr principal;
    Proof proof;
    std::string call, peer;
    Audit* audit;
  };
  friend class WriteLine;
  absl::Status Denied(std::string_view verb, std::string_view key, const std::string& what) const;
  Audit::Line LineOf(std::string_view key) const;

  const std::string* node_id_ = nullptr;
  std::shared_ptr<const Who> who_;  // null: there are no rights
};

// The line of one write in the audit log: written once, when the write is made or refused, even if nobody waits for the
// answer any more. Its copies are the same line.
class WriteLine {
 public:
  // `holder`: as the request has it; empty: the default.
  WriteLine(const Caller& caller, const std::string& key, const std::string& holder);
  // The first call counts. `entry` may be null. Any thread.
  void End(const absl::Status& outcome, const core::EntryPtr& entry) const;

 private:
  struct Line {
    Caller caller;
    std::string key, holder;
    std::atomic<bool> written{false};
  };
  std::shared_ptr<Line> line_;  // null: there are no rights
};

}  // namespace leasemap::rpc

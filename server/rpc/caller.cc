#include "server/rpc/caller.h"

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"

namespace leasemap::rpc {
namespace {

std::string Quoted(std::string_view text) { return absl::StrCat("\"", core::Shown(text), "\""); }

}  // namespace

Caller::Caller(rights::PrincipalPtr principal, Proof proof, std::string call, std::string peer, Audit& audit)
    : who_(std::make_shared<Who>(
          Who{std::move(principal), std::move(proof), std::move(call), std::move(peer), &audit})) {}

Caller Caller::With(rights::PrincipalPtr principal) const {
  return Caller(std::move(principal), who_->proof, who_->call, who_->peer, *who_->audit);
}

Audit::Line Caller::LineOf(std::string_view key) const {
  Audit::Line line;
  line.call = who_->call;
  line.principal = who_->principal->name;
  line.peer = who_->peer;
  line.key = key;
  return line;
}

// "alice may not read "x"; …": `what` is "x", and `verb` what the caller wants to do.
absl::Status Caller::Denied(std::string_view verb, std::string_view key, const std::string& what) const {
  auto status = core::Refusal(absl::StatusCode::kPermissionDenied, "PERMISSION_DENIED",
                              absl::StrCat("principal ", core::Shown(who_->principal->name), " may not ",
                                           absl::string_view(verb.data(), verb.size()), " ", what,
                                           "; the --auth-file of the nodes grants rights"));
  core::AddMetadata(status, "principal", who_->principal->name);
  who_->audit->Refuse(LineOf(key), status);
  return status;
}

absl::Status Caller::MayRead(std::string_view key) const {
  if (!who_ || who_->principal->MayRead(key)) return absl::OkStatus();
  return Denied("read", key, absl::StrCat("the key ", Quoted(key)));
}

absl::Status Caller::MayReadAll() const {
  if (!who_ || who_->principal->MayReadPrefix("")) return absl::OkStatus();
  return Denied("read", "", "the whole map");
}

absl::Status Caller::MayReadPrefix(std::string_view prefix) const {
  if (!who_ || who_->principal->MayReadPrefix(prefix)) return absl::OkStatus();
  return prefix.empty() ? MayReadAll() : Denied("read", prefix, absl::StrCat("all keys with prefix ", Quoted(prefix)));
}

absl::Status Caller::MayReadRange(std::string_view start, std::string_view end) const {
  if (!who_ || who_->principal->MayReadRange(start, end)) return absl::OkStatus();
  if (start.empty() && end.empty()) return MayReadAll();
  return Denied("read", start,
                absl::StrCat("all keys from ", Quoted(start), " to ", end.empty() ? "the last one" : Quoted(end)));
}

absl::Status Caller::MayWatch(const WatchScope& scope) const {
  if (scope.prefixes.empty() && scope.keys.empty()) return MayReadAll();
  for (const auto& prefix : scope.prefixes) {
    if (auto status = MayReadPrefix(prefix); !status.ok()) return status;
  }
  for (const auto& key : scope.keys) {
    if (auto status = MayRead(key); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Caller::MayWrite(std::string_view key, std::string_view holder) const {
  if (!who_) return absl::OkStatus();
  if (!who_->principal->MayWrite(key)) return Denied("write", key, absl::StrCat("the key ", Quoted(key)));
  if (holder.empty() || who_->principal->MayHold(holder)) return absl::OkStatus();
  const std::string own = core::Shown(who_->principal->name);
  return Denied("write as", key, absl::StrCat("the holder ", Quoted(holder), ", but as ", own, " and ", own, "/…"));
}

absl::Status Caller::MayAdminister(std::string_view node) const {
  if (!who_ || who_->principal->admin) return absl::OkStatus();
  return Denied("administer", "", node.empty() ? "this node" : absl::StrCat("node ", core::Shown(node)));
}

void Caller::Administered(const absl::Status& outcome, std::string_view node) const {
  if (!who_ || outcome.code() == absl::StatusCode::kPermissionDenied) return;
  Audit::Line line = LineOf("");
  line.node = node;
  who_->audit->Write(line, outcome);
}

WriteLine::WriteLine(const Caller& caller, const std::string& key, const std::string& holder) {
  if (caller.has_rights()) line_.reset(new Line{caller, key, holder.empty() ? caller.default_holder() : holder});
}

void WriteLine::End(const absl::Status& outcome, const core::EntryPtr& entry) const {
  // A refusal for lack of rights has its line.
  if (!line_ || outcome.code() == absl::StatusCode::kPermissionDenied || line_->written.exchange(true)) return;
  Audit::Line line = line_->caller.LineOf(line_->key);
  line.holder = line_->holder;
  if (outcome.ok() && entry != nullptr && entry->dot.seq != 0) line.version = core::VersionOf(entry->dot);
  line_->caller.who_->audit->Write(line, outcome);
}

}  // namespace leasemap::rpc

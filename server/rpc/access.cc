#include "server/rpc/access.h"

#include <fstream>
#include <iterator>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpc/grpc_security_constants.h"
#include "peer/core/data/error.h"
#include "peer/tls/identity.h"
#include "peer/tls/token.h"

namespace leasemap::rpc {
namespace {

constexpr std::streamsize kMaxFileBytes = 16 << 20;  // 10,000 principals with a kilobyte each, and some room
constexpr size_t kMaxTokenBytes = 4096;
constexpr char kBearer[] = "Bearer ";

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  file.peek();  // fails for a folder, which can be opened but not read
  if (!file) return absl::InvalidArgumentError("is not a file that can be read");
  std::string text(static_cast<size_t>(kMaxFileBytes) + 1, '\0');
  file.read(text.data(), kMaxFileBytes + 1);
  if (file.gcount() > kMaxFileBytes) return absl::InvalidArgumentError("is longer than 16 MiB");
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

// The token that a call shows; nullopt: none. What is no Bearer token is an empty one, which nobody has.
std::optional<std::string_view> TokenOf(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("authorization");
  if (found == metadata.end()) return std::nullopt;
  const absl::string_view value(found->second.data(), found->second.size());
  constexpr size_t kScheme = sizeof kBearer - 1;
  // The scheme's name has no case (RFC 9110, section 11.1).
  if (!absl::StartsWithIgnoreCase(value, kBearer) || value.size() > kScheme + kMaxTokenBytes) return "";
  return std::string_view(value.data() + kScheme, value.size() - kScheme);
}

// Whose certificate the connection has shown; nullopt: none. gRPC has checked it.
std::optional<tls::Identity> CertificateOf(const grpc::CallbackServerContext& context) {
  const auto auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return std::nullopt;
  for (const grpc::string_ref& uri : auth->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
    if (auto identity = tls::ParseUri({uri.data(), uri.size()})) return identity;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Access>> Access::Open(const std::string& path, std::shared_ptr<spdlog::logger> audit) {
  std::unique_ptr<Access> out(new Access(path, std::move(audit)));
  if (auto status = out->Reload(); !status.ok()) return status;
  return out;
}

absl::Status Access::Reload() {
  files_.BeginReading();
  auto text = ReadFile(path_);
  auto read = text.ok() ? rights::Rights::Parse(*text) : text.status();
  if (!read.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": ", std::string(read.status().message())));
  }
  const MutexLock lock(mutex_);
  rights_ = *std::move(read);
  return absl::OkStatus();
}

rights::RightsPtr Access::rights() const {
  const MutexLock lock(mutex_);
  return rights_;
}

absl::Status Access::Unauthenticated(std::string_view name, std::string_view peer, const std::string& what) const {
  auto status = core::Refusal(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED", what);
  Audit::Line line;
  line.call = name, line.peer = peer;
  audit_->Refuse(line, status);
  return status;
}

absl::StatusOr<Caller> Access::Identify(const grpc::CallbackServerContext& context, std::string_view name,
                                        const std::string& node_id) const {
  if (!has_rights()) return Caller(node_id);
  const std::string peer = context.peer();
  const auto known = [&](rights::PrincipalPtr principal, Proof proof) {
    return Caller(std::move(principal), std::move(proof), std::string(name), peer, *audit_);
  };
  if (const auto token = TokenOf(context)) {
    std::string hash = tls::HashOfToken(*token);
    if (auto principal = rights()->OfTokenHash(hash)) {
      return known(std::move(principal), {Proof::Kind::kToken, std::move(hash)});
    }
    return Unauthenticated(name, peer,
                           "nobody has this token; the --auth-file of the nodes lists the hashes of tokens");
  }
  const auto identity = CertificateOf(context);
  if (!identity) {
    return Unauthenticated(
        name, peer,
        "show who you are: send `authorization: Bearer TOKEN` (leasemap --token-file), or a client certificate");
  }
  if (identity->kind == tls::Identity::Kind::kClient) {
    if (auto principal = rights()->OfCertificate(identity->name)) {
      return known(std::move(principal), {Proof::Kind::kCertificate, identity->name});
    }
  }
  return Unauthenticated(
      name, peer,
      absl::StrCat("the certificate ", tls::UriOf(*identity), " is of no principal in the --auth-file of the nodes"));
}

absl::StatusOr<Caller> Access::IdentifyAgain(const Caller& caller) const {
  const Proof& proof = caller.proof();
  const auto now = rights();
  auto principal = proof.kind == Proof::Kind::kToken ? now->OfTokenHash(proof.value) : now->OfCertificate(proof.value);
  if (principal != nullptr && principal->name == caller.principal().name) return caller.With(std::move(principal));
  return Unauthenticated(caller.call(), caller.peer(),
                         absl::StrCat("the token or certificate of principal ", core::Shown(caller.principal().name),
                                      " is not in the --auth-file any more"));
}

}  // namespace leasemap::rpc

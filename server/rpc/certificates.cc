#include "server/rpc/certificates.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "peer/core/data/error.h"

namespace leasemap::rpc {
namespace {

constexpr unsigned kWatchSeconds = 1;  // the shortest that gRPC knows
constexpr std::array kWarnDays = {30, 7, 1};

std::string PathOf(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

// The descriptor has another content, in one step; with -1 there is a new one. -1 if it cannot be made.
int Replace(int fd, const std::string& content) {
  const int copy = memfd_create("leasemap-tls", MFD_CLOEXEC);
  if (copy < 0) return -1;
  const bool written = write(copy, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  if (written && fd < 0) return copy;
  const bool done = written && dup3(copy, fd, O_CLOEXEC) >= 0;
  close(copy);
  return done ? fd : -1;
}

grpc_ssl_client_certificate_request_type RequestOf(ClientAuth clients) {
  switch (clients) {
    case ClientAuth::kOff:
      break;
    case ClientAuth::kOptional:
      return GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    case ClientAuth::kRequire:
      return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
  }
  return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
}

int64_t DaysLeft(absl::Time expires, absl::Time now) { return absl::ToInt64Hours(expires - now) / 24; }

}  // namespace

absl::StatusOr<std::unique_ptr<Certificates>> Certificates::Load(tls::Paths paths, ClientAuth clients, bool plain_too,
                                                                 std::string node_id) {
  std::unique_ptr<Certificates> out(new Certificates(std::move(paths), clients, plain_too, std::move(node_id)));
  if (auto status = out->Reload(); !status.ok()) return status;
  if (auto status = out->MakeCredentials(); !status.ok()) return status;
  return out;
}

Certificates::~Certificates() {
  credentials_.reset();
  for (const int fd : {own_fd_, authorities_fd_}) {
    if (fd >= 0) close(fd);
  }
}

absl::Status Certificates::MakeCredentials() {
  namespace tls_api = grpc::experimental;
  tls_api::TlsServerCredentialsOptions options(std::make_shared<tls_api::FileWatcherCertificateProvider>(
      PathOf(own_fd_), PathOf(own_fd_), PathOf(authorities_fd_), kWatchSeconds));
  options.watch_identity_key_cert_pairs();
  if (clients_ != ClientAuth::kOff) options.watch_root_certs();
  options.set_cert_request_type(RequestOf(clients_));
  credentials_ = tls_api::TlsServerCredentials(options);
  return credentials_ != nullptr ? absl::OkStatus() : absl::InternalError("gRPC does not take the certificates");
}

absl::Status Certificates::Reload() {
  files_.BeginReading();
  auto material = tls::ReadMaterial(paths_, absl::Now());
  if (!material.ok()) return material.status();
  const tls::Identity& identity = material->identity;
  if (identity.kind != tls::Identity::Kind::kNode || identity.name != node_id_) {
    const bool client = identity.kind == tls::Identity::Kind::kClient;
    return absl::InvalidArgumentError(absl::StrCat(
        paths_.certificate, " is the certificate of ", client ? "client " : "node ", core::Shown(identity.name),
        ", and this is node ", core::Shown(node_id_), "; name the certificate of this node, or set --node-id"));
  }
  // The key and the certificates are one file, so that gRPC never sees those of two readings together.
  const int own = Replace(own_fd_, absl::StrCat(material->key, "\n", material->certificates));
  const int authorities = own < 0 ? -1 : Replace(authorities_fd_, material->authorities);
  if (own >= 0) own_fd_ = own;
  if (authorities < 0)
    return absl::InternalError(absl::StrCat("no memory for certificates: ", std::generic_category().message(errno)));
  authorities_fd_ = authorities;
  warned_ = 0;
  material_ = *std::move(material);
  const MutexLock lock(mutex_);
  expires_ = material_.expires;
  return absl::OkStatus();
}

std::optional<std::string> Certificates::TakeWarning(absl::Time now) {
  const absl::Time expires = this->expires();
  size_t passed = 0;
  while (passed < kWarnDays.size() && expires - now <= kWarnDays[passed] * absl::Hours(24)) ++passed;
  if (passed <= warned_) return std::nullopt;
  warned_ = passed;
  return Note(now);
}

absl::Time Certificates::expires() const {
  const MutexLock lock(mutex_);
  return expires_;
}

std::string Certificates::Note(absl::Time now) const {
  const absl::Time expires = this->expires();
  if (expires - now > kWarnDays[0] * absl::Hours(24)) return "";
  const std::string when = absl::FormatTime("%Y-%m-%d %H:%M UTC", expires, absl::UTCTimeZone());
  if (expires < now) {
    return absl::StrCat("the certificate in ", paths_.certificate, " expired at ", when, ": clients refuse it");
  }
  return absl::StrCat("the certificate in ", paths_.certificate, " expires in ", DaysLeft(expires, now), " days, at ",
                      when, "; put a new one in its place, which is read at once");
}

}  // namespace leasemap::rpc

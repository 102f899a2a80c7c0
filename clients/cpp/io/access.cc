#include "clients/cpp/io/access.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "clients/cpp/core/endpoints.h"

namespace leasemap::internal {
namespace {

Access::FileState StateOf(const std::string& path) {
  struct stat found {};
  if (path.empty() || stat(path.c_str(), &found) != 0) return {};
  return {.inode = found.st_ino,
          .size = found.st_size,
          .seconds = found.st_mtim.tv_sec,
          .nanoseconds = found.st_mtim.tv_nsec};
}

absl::StatusOr<std::string> Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return absl::InvalidArgumentError(absl::StrCat("cannot read ", path, ": ", std::system_category().message(errno)));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// gRPC itself says of a bad file only that the connection failed.
absl::StatusOr<std::string> ReadPem(const std::string& path, std::string_view what) {
  if (path.empty()) return "";
  absl::StatusOr<std::string> text = Read(path);
  if (text.ok() && text->find(what) == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has no \"", std::string(what), "\", as a PEM file would"));
  }
  return text;
}

bool IsLoopback(const std::string& target) {
  const std::optional<HostPort> parts = SplitHostPort(target);
  in_addr four{};
  in6_addr six{};
  if (!parts) return false;
  if (inet_pton(AF_INET, parts->host.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  return inet_pton(AF_INET6, parts->host.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Access>> Access::Open(const ClientOptions& options) {
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError("tls_cert and tls_key are given together");
  }
  if (options.credentials && !(options.tls_ca.empty() && options.tls_cert.empty())) {
    return absl::InvalidArgumentError("give either credentials or tls_ca, tls_cert and tls_key");
  }
  if (!options.token.empty() && !options.token_file.empty()) {
    return absl::InvalidArgumentError("give either token or token_file");
  }
  std::unique_ptr<Access> made(new Access(options));
  made->credentials_ = options.credentials;
  made->proves_ =
      options.credentials || !options.tls_cert.empty() || !options.token.empty() || !options.token_file.empty();
  if (const absl::Status read = made->Load(); !read.ok()) return read;
  if (const absl::Status read = made->LoadToken(); !read.ok()) return read;
  return made;
}

absl::Status Access::Load() {
  if (options_.tls_ca.empty() && options_.tls_cert.empty()) return absl::OkStatus();
  files_ = Files();
  const auto ca = ReadPem(options_.tls_ca, "BEGIN CERTIFICATE");
  const auto cert = ReadPem(options_.tls_cert, "BEGIN CERTIFICATE");
  const auto key = ReadPem(options_.tls_key, "PRIVATE KEY");
  for (const auto* each : {&ca, &cert, &key}) {
    if (!each->ok()) return each->status();
  }
  grpc::SslCredentialsOptions made;
  made.pem_root_certs = *ca;
  made.pem_cert_chain = *cert;
  made.pem_private_key = *key;
  credentials_ = grpc::SslCredentials(made);
  return absl::OkStatus();
}

absl::Status Access::LoadToken() {
  std::string token = options_.token;
  if (!options_.token_file.empty()) {
    token_file_ = StateOf(options_.token_file);
    absl::StatusOr<std::string> text = Read(options_.token_file);
    if (!text.ok()) return text.status();
    token = std::string(absl::StripAsciiWhitespace(*text));
  }
  if (token.empty() && options_.token_file.empty()) return absl::OkStatus();
  // The message does not show it.
  if (token.empty() || !std::all_of(token.begin(), token.end(), absl::ascii_isgraph)) {
    return absl::InvalidArgumentError(
        absl::StrCat(options_.token_file.empty() ? "the token" : absl::StrCat("what is in ", options_.token_file),
                     " is no token: a token is one word of printable ASCII"));
  }
  authorization_ = absl::StrCat("Bearer ", token);
  return absl::OkStatus();
}

absl::Status Access::Check(const std::string& target) const {
  if (authorization_.empty() || credentials_ || options_.insecure_token || IsLoopback(target)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the token is not sent to ", target,
                   " in plain text, where others could read it: give tls_ca (or credentials), "
                   "or insecure_token if the way there is safe by itself"));
}

std::shared_ptr<grpc::ChannelCredentials> Access::Credentials() {
  if (Files() != files_) Load().IgnoreError();  // the connections that fail say enough
  return credentials_ ? credentials_ : grpc::InsecureChannelCredentials();
}

Access::FileStates Access::Files() const {
  return {StateOf(options_.tls_ca), StateOf(options_.tls_cert), StateOf(options_.tls_key)};
}

void Access::Sign(const std::string& target, grpc::ClientContext& context) {
  if (authorization_.empty()) return;
  if (!options_.token_file.empty() && StateOf(options_.token_file) != token_file_) {
    LoadToken().IgnoreError();  // the token that was read before counts on, and nodes refuse it if it is none any more
  }
  if (Check(target).ok()) context.AddMetadata("authorization", authorization_);
}

}  // namespace leasemap::internal

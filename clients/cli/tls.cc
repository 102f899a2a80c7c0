// `leasemap tls`: the certificates of a cluster, as files. No node is asked.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/cli/commands.h"
#include "clients/cli/core/text.h"
#include "clients/cli/terminal.h"
#include "peer/tls/issue.h"

namespace leasemap::cli {
namespace {

using tls::Identity;
using tls::Issued;

constexpr absl::Duration kAuthorityValid = absl::Hours(10 * 365 * 24), kValid = absl::Hours(365 * 24);
constexpr char kAuthority[] = "ca";

int Fail(const std::string& why) {
  Complain() << Escape(why) << "\n";
  return kRefused;
}

std::string At(const Options& options, const std::string& name) { return absl::StrCat(options.tls_dir, "/", name); }

// The file is there as a whole or not at all, and only its owner may read it if it is a `secret`. Why not, if it fails.
std::optional<std::string> Write(const std::string& path, const std::string& text, bool secret) {
  const std::string part = path + ".part";
  std::remove(part.c_str());
  const int fd = open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, secret ? 0600 : 0644);
  bool done = fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (done && std::rename(part.c_str(), path.c_str()) == 0) return std::nullopt;
  const std::string why = absl::StrCat("cannot write ", path, ": ", std::strerror(done ? errno : error));
  std::remove(part.c_str());
  return why;
}

// Writes NAME.key and NAME.crt, which it says. An exit code.
int Save(const Options& options, const std::string& name, const Issued& issued) {
  const std::string certificate = At(options, name + ".crt"), key = At(options, name + ".key");
  if (!options.force) {
    for (const std::string& path : {certificate, key}) {
      if (access(path.c_str(), F_OK) == 0) return Fail(path + " is there already; --force replaces it");
    }
  }
  if (const auto why = Write(key, issued.key, true)) return Fail(*why);
  if (const auto why = Write(certificate, issued.certificate, false)) return Fail(*why);
  std::cout << Escape(certificate) << "\n" << Escape(key) << "\n";
  return kDone;
}

std::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

int Init(const Options& options) {
  if (mkdir(options.tls_dir.c_str(), 0755) != 0 && errno != EEXIST) {
    return Fail(absl::StrCat("cannot make the folder ", options.tls_dir, ": ", std::strerror(errno)));
  }
  const std::string name = options.names.empty() ? "Leasemap" : options.names[0];
  const auto authority = tls::MakeAuthority(name, absl::Now(), options.valid.value_or(kAuthorityValid));
  return authority.ok() ? Save(options, kAuthority, *authority) : Fail(std::string(authority.status().message()));
}

int IssueAll(const Options& options, Identity::Kind kind) {
  const auto certificate = ReadFile(At(options, "ca.crt")), key = ReadFile(At(options, "ca.key"));
  if (!certificate || !key) {
    return Fail(absl::StrCat(options.tls_dir,
                             " has no ca.crt and ca.key that can be read; make them with `leasemap tls "
                             "init`, or name their folder with --dir"));
  }
  const bool node = kind == Identity::Kind::kNode;
  for (const std::string& name : options.names) {
    tls::Subject subject{{kind, name}, {}};
    if (node) {
      if (tls::IsHost(name)) subject.hosts.push_back(name);
      subject.hosts.insert(subject.hosts.end(), options.hosts.begin(), options.hosts.end());
      subject.hosts.insert(subject.hosts.end(), {"localhost", "127.0.0.1", "::1"});
    }
    const auto issued = tls::Issue({*certificate, *key}, subject, absl::Now(), options.valid.value_or(kValid));
    if (!issued.ok()) return Fail(std::string(issued.status().message()));
    const std::string file = absl::StrCat(node ? "node-" : "client-", tls::Escaped(name));
    if (const int code = Save(options, file, *issued); code != kDone) return code;
  }
  return kDone;
}

}  // namespace

int Tls(Connection& connection) {
  const Options& options = connection.options();
  if (options.tls_action == "init") {
    if (options.names.size() <= 1 && options.hosts.empty()) return Init(options);
    Complain() << "tls init takes one NAME at most, of the authority, and no --host\n";
    return kWrongUse;
  }
  if (options.names.empty()) {
    Complain() << "tls " << options.tls_action << " needs a NAME; see leasemap help tls\n";
    return kWrongUse;
  }
  const bool node = options.tls_action == "node";
  if (node || options.hosts.empty()) return IssueAll(options, node ? Identity::Kind::kNode : Identity::Kind::kClient);
  Complain() << "--host is for the certificates of nodes\n";
  return kWrongUse;
}

}  // namespace leasemap::cli

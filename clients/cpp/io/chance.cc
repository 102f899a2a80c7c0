#include "clients/cpp/io/chance.h"

#include <unistd.h>

#include <array>
#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "text/utf8.h"

namespace leasemap::internal {
namespace {

constexpr size_t kHostBytes = 200;  // of a holder's 255 bytes, what process and chance leave

}  // namespace

double Chance() {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

std::string RandomHex(int bytes) {
  std::random_device device;  // the kernel's
  std::string some;
  while (some.size() < static_cast<size_t>(bytes)) {
    const std::random_device::result_type word = device();
    some.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  some.resize(bytes);
  return absl::BytesToHexString(some);
}

std::string DefaultHolder() {
  std::array<char, kHostBytes + 1> name{};
  std::string host = gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
  if (host.empty() || !text::IsPrintableUtf8(host)) host = "host";
  return absl::StrCat(host, "-", getpid(), "-", RandomHex(4));
}

}  // namespace leasemap::internal

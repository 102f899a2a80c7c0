#include "server/options.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "asio/ip/address.hpp"
#include "peer/core/error.h"
#include "peer/core/limits.h"
#include "peer/net/transport.h"
#include "server/environment.h"

namespace leasemap {
namespace {

absl::Status Wrong(const std::string& flag, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, ": ", what));
}

// The value of each flag by precedence.
class Values {
 public:
  Values(const Settings& flags, const Settings& environment, const Settings& config)
      : sources_{&flags, &environment, &config} {}

  // Empty if it was not set anywhere.
  std::string Set(const std::string& name) const {
    for (const Settings* source : sources_) {
      if (auto it = source->find(name); it != source->end() && !it->second.empty()) return it->second;
    }
    return "";
  }
  std::string Get(const std::string& name) const {
    if (auto value = Set(name); !value.empty()) return value;
    const auto& flags = Flags();
    return std::find_if(flags.begin(), flags.end(), [&](const Flag& flag) { return flag.name == name; })->fallback;
  }
  absl::StatusOr<bool> Bool(const std::string& name) const {
    const std::string value = absl::AsciiStrToLower(Get(name));
    for (const char* yes : {"true", "1", "yes", "on"}) {
      if (value == yes) return true;
    }
    for (const char* no : {"false", "0", "no", "off"}) {
      if (value == no) return false;
    }
    return Wrong(name, absl::StrCat("\"", value, "\" is neither true nor false"));
  }
  absl::StatusOr<int64_t> Number(const std::string& name, int64_t least, int64_t most) const {
    int64_t number = 0;
    const std::string value = Get(name);
    if (!absl::SimpleAtoi(value, &number) || number < least || number > most) {
      return Wrong(name, absl::StrCat("\"", value, "\" is not a whole number from ", least, " to ", most));
    }
    return number;
  }
  absl::StatusOr<int64_t> Ms(const std::string& name, int64_t least, int64_t most) const {
    absl::Duration duration;
    const std::string value = Get(name);
    if (!absl::ParseDuration(value, &duration)) {
      return Wrong(name, absl::StrCat("\"", value, "\" is not a duration; write for example 500ms, 30s or 1h"));
    }
    const int64_t ms = absl::ToInt64Milliseconds(duration);
    if (ms < least || ms > most || absl::Milliseconds(ms) != duration) {
      return Wrong(name,
                   absl::StrCat(value, " is out of range; give whole milliseconds, ", least, "ms to ", most, "ms"));
    }
    return ms;
  }

  // 0 if it is unset.
  absl::StatusOr<uint64_t> Bytes(const std::string& name, uint64_t least) const {
    const std::string value = Get(name);
    if (value.empty()) return 0;
    const size_t unit_at = std::min(value.find_first_not_of("0123456789"), value.size());
    const std::string unit = absl::AsciiStrToLower(value.substr(unit_at));
    uint64_t number = 0, times = 0;
    for (const auto& [known, factor] : {std::pair<const char*, uint64_t>{"", 1},
                                        {"kib", 1 << 10},
                                        {"mib", 1 << 20},
                                        {"gib", 1 << 30},
                                        {"tib", uint64_t{1} << 40}}) {
      if (unit == known) times = factor;
    }
    const bool fits = absl::SimpleAtoi(value.substr(0, unit_at), &number) && times > 0 && number <= (INT64_MAX / times);
    if (!fits || number * times < least) {
      return Wrong(name, absl::StrCat("\"", value, "\" is no number of bytes from ", least,
                                      " on; write for example 512MiB or 4GiB"));
    }
    return number * times;
  }

 private:
  const Settings* sources_[3];
};

bool IsLoopback(const std::string& host) {
  if (host == "localhost") return true;
  asio::error_code error;
  const auto ip = asio::ip::make_address(host, error);
  return !error && ip.is_loopback();
}

absl::StatusOr<std::string> Address(const Values& values, const std::string& name, bool insecure, bool may_be_empty) {
  const std::string value = values.Get(name);
  if (value.empty() && may_be_empty) return value;
  const auto parsed = net::ParseHostPort(value);
  if (!parsed) return Wrong(name, absl::StrCat("\"", value, "\" is not host:port (an IPv6 host stands in brackets)"));
  if (!insecure && !IsLoopback(parsed->host)) {
    return Wrong(name, absl::StrCat(value,
                                    " is beyond loopback, and this version speaks plain text only; if the "
                                    "network is trusted, pass --insecure"));
  }
  return value;
}

absl::StatusOr<std::vector<std::string>> Seeds(const std::string& text) {
  constexpr size_t kMaxSeeds = 64;  // the full mesh has no more members
  std::vector<std::string> seeds;
  for (absl::string_view piece : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::string seed(absl::StripAsciiWhitespace(piece));
    const auto parsed = net::ParseHostPort(seed);
    if (!parsed || parsed->port == 0 || parsed->host.empty()) {
      return Wrong("seeds", absl::StrCat("\"", seed, "\" is not host:port"));
    }
    if (std::find(seeds.begin(), seeds.end(), seed) == seeds.end()) seeds.push_back(seed);
  }
  if (seeds.size() > kMaxSeeds) return Wrong("seeds", absl::StrCat("more than ", kMaxSeeds));
  return seeds;
}

absl::Status CheckLater(const Values& values) {
  for (const Flag& flag : Flags()) {
    if (!flag.later || values.Set(flag.name).empty() || values.Set(flag.name) == flag.fallback) continue;
    return Wrong(flag.name, "not supported by this version; leave it unset");
  }
  return absl::OkStatus();
}

absl::Status CheckId(const std::string& flag, const std::string& value) {
  if (core::CheckName(flag, value).ok()) return absl::OkStatus();
  return Wrong(flag, absl::StrCat("\"", core::Shown(value), "\" is not 1 to 255 bytes of printable UTF-8"));
}

}  // namespace

const std::vector<Flag>& Flags() {
  static const std::vector<Flag> flags = {
      {"node-id", "", "name of this node, unique in the cluster; the default holder (default: the host name)"},
      {"cluster", "leasemap", "name of the cluster; nodes of others are refused"},
      {"listen", "127.0.0.1:7400", "host:port for gRPC"},
      {"mesh-listen", "127.0.0.1:7401", "host:port for the other nodes"},
      {"advertise", "", "host:port that other nodes dial (default: this end of each link, with the mesh port)"},
      {"http-listen", "127.0.0.1:7402", "host:port for metrics and the status page (nothing listens there yet)"},
      {"seeds", "", "host:port of other nodes, comma-separated; a name stands for all its addresses"},
      {"leasing", "true", "whether writes take leases; the same on all nodes", true},
      {"lease-duration", "1h", "the default lease, 4 times --max-clock-skew to 8760h; the same on all nodes"},
      {"data-dir", "", "folder for the map on disk (not supported yet: memory only)", false, true},
      {"fsync", "always", "always, interval or never (not supported yet)", false, true},
      {"min-members", "1", "not ready before this many nodes, itself included, have been linked once; 1 to 128"},
      {"max-clock-skew", "500ms", "how far the clocks of two nodes may differ, 1ms to 60s"},
      {"forget-after", "72h", "silence after which a member is forgotten, 10s to 8760h"},
      {"tls-cert", "", "certificate file (not supported yet)", false, true},
      {"tls-key", "", "key file (not supported yet)", false, true},
      {"tls-ca", "", "file of trusted certificates (not supported yet)", false, true},
      {"insecure", "false", "serve plain text beyond loopback", true},
      {"max-bytes", "", "memory that the map may take, as 512MiB or 4GiB (default: half of what the process may use)"},
      {"max-connections", "10000", "clients' connections at once; fewer where there are too few file descriptors"},
      {"max-watches", "10000", "watches at once; one connection may have a tenth of them"},
      {"log-level", "info", "debug, info, warn or error; read again on SIGHUP, as the seeds are"},
  };
  return flags;
}

absl::StatusOr<Settings> ParseConfig(const std::string& text) {
  Settings out;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    const auto wrong = [&](const char* what) {
      return absl::InvalidArgumentError(absl::StrCat("--config: line ", number, ": ", what));
    };
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos) return wrong("is not name = value");
    absl::string_view name = absl::StripAsciiWhitespace(line.substr(0, equals));
    if (absl::StartsWith(name, "--")) name.remove_prefix(2);
    const auto& flags = Flags();
    const bool known = std::any_of(flags.begin(), flags.end(), [&](const Flag& flag) { return name == flag.name; });
    if (!known) return wrong("no such flag; leasemapd --help lists them");
    out[std::string(name)] = std::string(absl::StripAsciiWhitespace(line.substr(equals + 1)));
  }
  return out;
}

Settings FromEnvironment(const std::function<const char*(const char*)>& get) {
  Settings out;
  for (const Flag& flag : Flags()) {
    if (const char* value = get(VariableOf(flag.name).c_str()); value != nullptr) out[flag.name] = value;
  }
  return out;
}

std::vector<std::string> WaitForRestart(const Settings& flags, const Settings& environment, const Settings& before,
                                        const Settings& after) {
  const Values was(flags, environment, before), is(flags, environment, after);
  std::vector<std::string> names;
  for (const Flag& flag : Flags()) {
    const std::string name = flag.name;
    if (name != "seeds" && name != "log-level" && was.Get(name) != is.Get(name)) names.push_back(name);
  }
  return names;
}

absl::StatusOr<Options> MakeOptions(const Settings& flags, const Settings& environment, const Settings& config,
                                    const std::string& host_name) {
  const Values values(flags, environment, config);
  if (auto status = CheckLater(values); !status.ok()) return status;
  Options out;
  out.node.node_id = values.Get("node-id").empty() ? host_name : values.Get("node-id");
  if (auto status = CheckId("node-id", out.node.node_id); !status.ok()) return status;
  out.node.cluster = values.Get("cluster");
  if (auto status = CheckId("cluster", out.node.cluster); !status.ok()) return status;

  const auto insecure = values.Bool("insecure");
  if (!insecure.ok()) return insecure.status();
  for (auto [name, to, may_be_empty] : {std::tuple{"listen", &out.listen, false},
                                        {"mesh-listen", &out.mesh_listen, false},
                                        {"http-listen", &out.http_listen, true},
                                        {"advertise", &out.node.advertise, true}}) {
    // What is advertised is not listened on: it may be anywhere.
    auto address = Address(values, name, *insecure || to == &out.node.advertise, may_be_empty);
    if (!address.ok()) return address.status();
    *to = *std::move(address);
  }
  auto seeds = Seeds(values.Get("seeds"));
  if (!seeds.ok()) return seeds.status();
  out.node.seeds = *std::move(seeds);

  const auto leasing = values.Bool("leasing");
  if (!leasing.ok()) return leasing.status();
  const auto skew = values.Ms("max-clock-skew", 1, 60'000);
  if (!skew.ok()) return skew.status();
  const auto period = values.Ms("lease-duration", 4 * *skew, int64_t{8760} * 3'600'000);
  if (!period.ok()) return period.status();
  out.node.rules = {*leasing, *period, *skew};
  // Shorter than a few silences, a member that is only slow would be forgotten.
  const auto forget = values.Ms("forget-after", 10'000, int64_t{8760} * 3'600'000);
  if (!forget.ok()) return forget.status();
  out.node.forget_after_ms = *forget;
  const auto members = values.Number("min-members", 1, core::kMaxMembers);
  if (!members.ok()) return members.status();
  out.node.min_members = static_cast<size_t>(*members);
  // Less would not take a map of a few values of the largest size.
  const auto max_bytes = values.Bytes("max-bytes", 16 * core::kMaxValueBytes);
  if (!max_bytes.ok()) return max_bytes.status();
  out.max_bytes = *max_bytes;
  for (auto [name, to] : {std::pair{"max-connections", &out.max_connections}, {"max-watches", &out.max_watches}}) {
    const auto number = values.Number(name, 1, 1'000'000);
    if (!number.ok()) return number.status();
    *to = static_cast<uint64_t>(*number);
  }
  out.log_level = values.Get("log-level");
  const std::array<const char*, 4> levels = {"debug", "info", "warn", "error"};
  if (std::find(levels.begin(), levels.end(), out.log_level) == levels.end()) {
    return Wrong("log-level", absl::StrCat("\"", out.log_level, "\" is none of debug, info, warn and error"));
  }
  return out;
}

}  // namespace leasemap

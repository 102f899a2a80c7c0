// See hostile.h.
#include "tests/sim/hostile.h"

#include <memory>
#include <utility>

#include "peer/core/data/hybrid_clock.h"
#include "peer/core/data/limits.h"

namespace leasemap::sim {
namespace {

constexpr size_t kWays = static_cast<size_t>(Hostile::Way::kWays);
constexpr const char* kNames[kWays] = {"unmade",   "future", "marks", "bogus", "sessions",
                                       "messages", "junk",   "ends",  "floor"};
// Further ahead than any clock of a run is wrong: bogus to everybody, so that nobody takes such an entry for the dot's.
constexpr int64_t kFarMs = int64_t{30} * 24 * 3600 * 1000;

}  // namespace

Hostile::Hostile(uint64_t seed) : random_(seed), ways_(kWays) {
  for (int n = 0; n < 2; ++n) ways_[static_cast<size_t>(random_.Below(kWays))] = true;
}

std::string Hostile::Describe() const {
  std::string text;
  for (size_t way = 0; way < kWays; ++way) {
    if (ways_[way]) text += (text.empty() ? "" : ", ") + std::string(kNames[way]);
  }
  return text;
}

core::VectorPtr Hostile::Unmade(const core::VersionVector& vector, const Receiver& to) {
  auto out = std::make_shared<core::VersionVector>(vector);
  const uint64_t from = Chance(2) ? 1 : to.made + 2;
  out->Add(to.id, from, to.made + FarAhead());
  return out;
}

// Of the receiver itself nothing: that is another way.
core::VectorPtr Hostile::Future(const core::VersionVector& vector, const Receiver& to) {
  auto out = std::make_shared<core::VersionVector>(vector);
  for (const auto& [replica, coverage] : vector.runs()) {
    if (replica == to.id || Chance(2)) continue;
    const uint64_t from = coverage.Top() + 1 + static_cast<uint64_t>(random_.Below(3));
    out->Add(replica, from, from + static_cast<uint64_t>(random_.Below(2000)));
  }
  return out;
}

core::VectorPtr Hostile::Marked(const core::VersionVector& vector) {
  auto out = std::make_shared<core::VersionVector>(vector);
  for (const auto& [replica, coverage] : vector.runs()) {
    if (Chance(3)) out->SetPastMark({replica.incarnation, random_.Next()});
  }
  // With a process that is named for nothing it could not be read, and would be junk (seed 60034 of hours).
  for (const auto& [replica, coverage] : vector.runs()) {
    if (coverage == core::Coverage() && replica.incarnation > out->past_mark().upto) out->DropRun(replica);
  }
  return out;
}

void Hostile::Distort(core::Report& report, const Receiver& to) {
  if (goes(Way::kUnmade) && Chance(4)) report.vector = Unmade(*report.vector, to);
  if (goes(Way::kFuture) && Chance(2)) report.vector = Future(*report.vector, to);
  if (goes(Way::kMarks) && Chance(2)) {
    report.vector = Marked(*report.vector);
    report.map_hash = random_.Next();
  }
}

void Hostile::Distort(core::Accept& accept, const Receiver& to) {
  if (goes(Way::kFuture) && Chance(2)) accept.report.vector = Future(*accept.report.vector, to);
  if (goes(Way::kFloor) && accept.report.floor && Chance(2)) accept.report.floor = Unmade(*accept.report.floor, to);
}

// Only what is its own: in a Live message that is all.
void Hostile::Distort(core::Live& live, const core::ReplicaId& self) {
  for (core::EntryPtr& entry : live.entries) {
    if (!goes(Way::kBogus) || entry->dot.replica != self || !Chance(2)) continue;
    auto bogus = std::make_shared<core::Entry>(*entry);
    if (Chance(2)) {
      bogus->stamp = core::StampAt(core::StampMs(entry->stamp) + kFarMs);
    } else {
      bogus->lease.epoch += static_cast<uint64_t>(kFarMs) << 22;
    }
    entry = std::move(bogus);
  }
}

void Hostile::AddFloods(std::vector<Sent>& out) {
  if (goes(Way::kJunk) && Chance(8)) out.emplace_back(std::nullopt);
  if (goes(Way::kSessions) && Chance(8)) {
    for (int64_t n = 0; n < core::kSessionBurst + 20; ++n) {
      const uint64_t session = random_.Next();
      out.emplace_back(core::SessionRequest{session, std::make_shared<core::VersionVector>(), {}});
    }
  }
  if (goes(Way::kControl) && !flooded_ && Chance(8)) {
    flooded_ = true;
    for (int64_t n = 0; n < core::kControlBurst + core::kControlPerSecond; ++n) out.emplace_back(core::Live{});
  }
}

std::vector<Hostile::Sent> Hostile::Tamper(const core::ReplicaId& self, const Receiver& to, core::Message message) {
  std::vector<Sent> out;
  const bool greets = std::holds_alternative<core::Hello>(message) || std::holds_alternative<core::Accept>(message) ||
                      std::holds_alternative<core::Refuse>(message);
  if (auto* report = std::get_if<core::Report>(&message)) Distort(*report, to);
  if (auto* accept = std::get_if<core::Accept>(&message)) Distort(*accept, to);
  if (auto* live = std::get_if<core::Live>(&message)) Distort(*live, self);
  if (auto* end = std::get_if<core::SessionEnd>(&message); end != nullptr && goes(Way::kEnds)) {
    if (Chance(2)) return out;
    end->vector = Unmade(*end->vector, to);
  }
  out.emplace_back(std::move(message));
  if (!greets) AddFloods(out);
  return out;
}

}  // namespace leasemap::sim

// See faults.h. The menu, and how faults end.
#include "tests/sim/faults.h"

namespace leasemap::sim {

const std::vector<Faults::Item>& Faults::Menu() {
  static const std::vector<Item> kMenu = {
      {"forgetting", &Faults::Forgetting},
      {"crashes", static_cast<void (Faults::*)()>(&Faults::Crashes)},
      {"mass crashes", &Faults::MassCrashes},
      {"restarts of all", &Faults::RestartsOfAll},
      {"pauses", &Faults::Pauses},
      {"clocks", &Faults::Clocks},
      {"a hostile member", &Faults::HostileMember},
      {"partitions", &Faults::Partitions},
      {"one-way cuts", &Faults::OneWayCuts},
      {"flapping paths", &Faults::FlappingPaths},
      {"ended links", &Faults::EndedLinks},
      {"long delays", &Faults::LongDelays},
  };
  return kMenu;
}

void Faults::RandomHalf() {
  for (bool any = false; !any;) {
    for (const Item& item : Menu()) {
      if (random_.Below(2) == 0) continue;
      any = true;
      world_.trace().Say(world_.queue().now_us(), std::string("fault: ") + item.name);
      (this->*item.start)();
    }
  }
}

void Faults::Repeat(int64_t mean_us, std::function<void()> fault) {
  world_.queue().After(pace_ * (mean_us / 2 + random_.Below(mean_us)), [this, mean_us, fault] {
    if (stopped_) return;
    fault();
    Repeat(mean_us, fault);
  });
}

void Faults::Later(int64_t least_us, int64_t most_us, std::function<void()> what) {
  world_.queue().After(pace_ * (least_us + random_.Below(most_us - least_us)), std::move(what));
}

int Faults::Anyone() {
  const int host = static_cast<int>(random_.Below(world_.size()));
  return Spared(host) ? -1 : host;
}

void Faults::Repair(int host) {
  world_.at(host).clock.Set(GoodOffset());
  world_.at(host).crash_after = 0;
  world_.GoOn(host);
  if (!world_.hostile(host)) return;
  world_.Crash(host, false);
  world_.Start(host);
}

void Faults::Spare(const std::vector<int>& core) {
  core_.assign(static_cast<size_t>(world_.size()), false);
  for (const int host : core) core_[host] = true;
  for (const int host : core) {
    Repair(host);
    world_.Start(host);
  }
  world_.network().Spare(world_.places(core));
  world_.network().reach().MendAmong(world_.places(core));
  world_.network().Flow();
  world_.trace().Note(world_.queue().now_us(), "core", core.size());
}

void Faults::Heal(bool may_stay_dead) {
  stopped_ = true;
  std::vector<int> all;
  for (int host = 0; host < world_.size(); ++host) all.push_back(host);
  for (const int host : all) Repair(host);
  for (const int host : all) {
    const bool stays_dead = may_stay_dead && random_.Below(4) == 0 && !world_.living().empty();
    if (!world_.up(host) && !stays_dead && !world_.at(host).left) world_.Start(host);
  }
  world_.network().SetTail(0);
  world_.network().reach().MendAmong(world_.places(all));
  world_.network().Flow();
  world_.trace().Note(world_.queue().now_us(), "peace");
}

}  // namespace leasemap::sim

// Shows watches what they are read from (watch_reader.h).
#include <utility>

#include "peer/core/node.h"
#include "peer/core/watch_reader.h"

namespace leasemap::core {

template <typename Read>
auto Node::WithReader(Now now, Read read) const {
  const auto is_linked = [this](const ReplicaId& process) {
    const LinkId id = UpLinkOf(process.node);
    return id != 0 && links_.at(id).peer.self == process;
  };
  const auto named = [this](const VersionVector& vector) {
    return &vector == &replica_.vector() ? *replica_.Shared(membership_) : vector.Naming(membership_.Present()).Brief();
  };
  return read(WatchReader({now, options_, replica_.self(), shown(), maps_, replica_.vector(), conflicts_, membership_,
                           clock_guard_.trusted(), HorizonAt(now), KeptDeadMs(options_.rules), is_linked, named}));
}

absl::StatusOr<Watch> Node::StartWatch(Now now, WatchFilter filter, bool snapshot, const std::string& cursor) const {
  return WithReader(now, [&](const WatchReader& reader) { return reader.Start(std::move(filter), snapshot, cursor); });
}

absl::StatusOr<WatchBatch> Node::ReadWatch(Now now, Watch& watch) const {
  return WithReader(now, [&](const WatchReader& reader) { return reader.Read(watch); });
}

}  // namespace leasemap::core

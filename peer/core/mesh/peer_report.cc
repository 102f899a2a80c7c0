#include "peer/core/mesh/peer_report.h"

#include <utility>

namespace leasemap::core {

PeerReport::News PeerReport::Take(const Report& report) {
  const bool complete = !report.cut_short;
  News news;
  news.vector = !vector_ || (complete && vector_ != report.vector && *vector_ != *report.vector);
  news.any = news.vector || !complete || complete_ != complete || has_map_ != report.whole;
  news.map = report.whole && !has_map_;
  vector_ = report.vector;
  complete_ = complete;
  has_map_ = report.whole;
  settled_ = report.settled;
  map_hash_ = report.map_hash;
  rights_hash_ = report.rights_hash;
  return news;
}

PeerReport::Look PeerReport::TakePeers(const PeersPtr& peers, uint64_t members_change) {
  if (peers_ != peers) {
    if (*peers_ != *peers) looked_change_ = 0;
    peers_ = peers;
  }
  const uint64_t looked = std::exchange(looked_change_, members_change);
  if (looked == members_change) return Look::kNo;
  return looked == 0 ? Look::kTheirs : Look::kOurs;
}

}  // namespace leasemap::core

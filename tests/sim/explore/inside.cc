// See inside.h. Whoever comes here because a structured binding names too few fields: add the new field's name, and put
// it into the digest, or into the comment that says why it makes no difference.
#include "tests/sim/explore/inside.h"

#include <algorithm>
#include <concepts>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"

namespace leasemap::core {
namespace {

using explore::Digester;

// --- what everything is made of

template <typename T>
requires std::integral<T> || std::is_enum_v<T>
void Put(Digester& d, T value) { d.Number(static_cast<uint64_t>(value)); }
void Put(Digester& d, const std::string& text) { d.Text(text); }

void Put(Digester& d, const ReplicaId& id);
void Put(Digester& d, const Dot& dot);
void Put(Digester& d, const Entry& entry);
void Put(Digester& d, const Coverage& coverage);
void Put(Digester& d, const VersionVector& vector);
void Put(Digester& d, const MemberInfo& info);
void Put(Digester& d, const Relay& relay);
void Put(Digester& d, const Peers& peers);
void Put(Digester& d, const Report& report);
template <typename T>
void Put(Digester& d, const std::shared_ptr<const T>& pointer);
template <typename T>
void Put(Digester& d, const std::optional<T>& value);
template <typename T>
void Put(Digester& d, const std::vector<T>& values);
template <typename K, typename V>
void Put(Digester& d, const std::map<K, V>& values);
template <typename K, typename V>
void Put(Digester& d, const absl::btree_map<K, V>& values);

void Put(Digester& d, const PastMark& mark);

template <typename... T>
void PutAll(Digester& d, const T&... values) {
  (Put(d, values), ...);
}

template <typename T>
void Put(Digester& d, const std::shared_ptr<const T>& pointer) {
  Put(d, pointer != nullptr);
  if (pointer) Put(d, *pointer);
}
template <typename T>
void Put(Digester& d, const std::optional<T>& value) {
  Put(d, value.has_value());
  if (value) Put(d, *value);
}
template <typename T>
void Put(Digester& d, const std::vector<T>& values) {
  Put(d, values.size());
  for (const T& value : values) Put(d, value);
}
template <typename K, typename V>
void Put(Digester& d, const std::map<K, V>& values) {
  Put(d, values.size());
  for (const auto& [key, value] : values) PutAll(d, key, value);
}
template <typename K, typename V>
void Put(Digester& d, const absl::btree_map<K, V>& values) {
  Put(d, values.size());
  for (const auto& [key, value] : values) PutAll(d, key, value);
}

// --- entries and vectors

void Put(Digester& d, const ReplicaId& id) {
  const auto& [node, incarnation] = id;
  PutAll(d, node, incarnation);
}
void Put(Digester& d, const Dot& dot) {
  const auto& [replica, seq] = dot;
  PutAll(d, replica, seq);
}
void Put(Digester& d, const Entry& entry) {
  const auto& [key, value, value_is_text, value_left_out, tombstone, ephemeral, value_gone, lease, dot, request, stamp,
               value_dot, value_stamp, unknown_fields] = entry;
  const auto& [holder, epoch, start_s, duration_ms, expire_ms, released] = lease;
  PutAll(d, key, value.str(), value_is_text, value_left_out, tombstone, ephemeral, value_gone, dot, request, stamp,
         value_dot, value_stamp, unknown_fields);
  PutAll(d, holder, epoch, start_s, duration_ms, expire_ms, released);
}
void Put(Digester& d, const Coverage& coverage) {
  const auto& [prefix, exceptions] = coverage;
  PutAll(d, prefix, exceptions);
}
void Put(Digester& d, const PastMark& mark) {
  const auto& [upto, digest] = mark;
  PutAll(d, upto, digest);
}
void Put(Digester& d, const VersionVector& vector) {
  PutAll(d, vector.runs(), vector.past_mark(), vector.past() != nullptr);
  if (vector.past() == nullptr) return;
  Put(d, vector.past()->dropped());
  for (const auto& [id, process] : vector.past()->known()) PutAll(d, id, process.prefix);
}

// --- messages

void Put(Digester& d, const MemberInfo& info) {
  const auto& [id, address, generation] = info;
  PutAll(d, id, address, generation);
}
void Put(Digester& d, const Relay& relay) {
  const auto& [member, vector] = relay;
  PutAll(d, member, vector);
}
void Put(Digester& d, const Peers& peers) {
  const auto& [members, linked] = peers;
  PutAll(d, members, linked);
}
void Put(Digester& d, const Report& report) {
  // `keys`: for people. `disk_stopped`, `rights_hash`: no node has a disk or rights here.
  const auto& [vector, cut_short, floor, whole, settled, keys, map_hash, ceiling_ms, holds_map, disk_stopped,
               rights_hash, collected_epoch, peers, relays] = report;
  PutAll(d, vector, cut_short, floor, whole, settled, map_hash, ceiling_ms, holds_map, collected_epoch, peers, relays);
}
void Put(Digester& d, const Hello& hello) {
  // `certified`: no node has TLS here.
  const auto& [protocol_min, protocol_max, cluster, leasing, period_ms, self, wall_ms, advertise, has_map, certified] =
      hello;
  PutAll(d, protocol_min, protocol_max, cluster, leasing, period_ms, self, wall_ms, advertise, has_map);
}
void Put(Digester& d, const Accept& accept) {
  const auto& [wall_ms, report] = accept;
  PutAll(d, wall_ms, report);
}
void Put(Digester& d, const Refuse& refuse) {
  const auto& [reason, message, has_map] = refuse;
  PutAll(d, reason, message, has_map);
}
void Put(Digester& d, const Ping& ping) {
  const auto& [token] = ping;
  Put(d, token);
}
void Put(Digester& d, const Pong& pong) {
  const auto& [token, wall_ms] = pong;
  PutAll(d, token, wall_ms);
}
void Put(Digester& d, const Live& live) {
  const auto& [entries, report_now] = live;
  PutAll(d, entries, report_now);
}
void Put(Digester& d, const SessionRequest& request) {
  const auto& [session, vector, buckets] = request;
  PutAll(d, session, vector, buckets);
}
void Put(Digester& d, const SessionEntries& entries) {
  const auto& [session, list] = entries;
  PutAll(d, session, list);
}
void Put(Digester& d, const SessionEnd& end) {
  const auto& [session, vector, floor] = end;
  PutAll(d, session, vector, floor);
}
void Put(Digester& d, const Broadcast& broadcast) {
  const auto& [payload] = broadcast;
  Put(d, payload);
}

void Put(Digester& d, const Query& query) {
  const auto& [token, key] = query;
  PutAll(d, token, key);
}
void Put(Digester& d, const QueryReply& reply) {
  const auto& [token, entry, vector] = reply;
  PutAll(d, token, entry, vector);
}

// --- times

// How long ago, up to `most`: older makes no difference.
void PutAge(Digester& d, MonoTime now, MonoTime then, int64_t most) { Put(d, std::min(now - then, most)); }
// How long until; what is past makes no difference.
void PutUntil(Digester& d, MonoTime now, MonoTime then) { Put(d, std::max<int64_t>(then - now, 0)); }

}  // namespace

explore::Digest Inside::Of(const Entry& entry) {
  Digester d;
  Put(d, entry);
  return d.Done();
}

explore::Digest Inside::Of(const Message& message) {
  Digester d;
  Put(d, message.index());
  std::visit([&](const auto& one) { Put(d, one); }, message);
  return d.Done();
}

void Inside::PutSession(Digester& d, const ServedSession& session) {
  const auto& [id, theirs, v0, floor, buckets, after, done] = session;
  PutAll(d, id, theirs, v0, floor, buckets, after, done);
}

void Inside::PutLinks(Digester& d, const Links& all, Now now, const Timing& timing, uint64_t report_change,
                      const VersionVector& vector) {
  // `up` follows from the links. `refusals`: what was logged. `quarantine`: nobody breaks a rule here.
  const auto& [times, links, up, refusals, quarantine, compare_ceilings] = all;
  Put(d, compare_ceilings);
  const MonoTime mono = now.mono;
  Put(d, links.size());
  for (const auto& [id, link] : links) {
    // settled, sent and opened count in the handshake alone, which the steps of time of an exploration never
    // outlast. looked_at and looked_change: what Lack::Update would find again. `relayed` follows from `peers` and the
    // members; relayed_change and looked_change say as of when.
    const auto& [alive, ceiling, theirs, told, lack, out, phase, dialed, address, local, peer, helloed, settled, sent,
                 clock_agrees, probe] = link;
    PutAll(d, id, phase, dialed, address, local, peer.self, helloed, settled, clock_agrees);
    const auto& [our_word, their_word, shunned] = ceiling;  // their wall_ms: compared with none
    PutAll(d, our_word.ceiling_ms, our_word.map, our_word.part, their_word.ceiling_ms, their_word.map, their_word.part,
           shunned);
    const auto& [opened, heard, pinged, piece] = alive;
    PutAge(d, mono, heard, timing.silent);
    Put(d, piece.has_value());  // messages come whole here
    PutAge(d, mono, pinged, timing.heartbeat);
    const auto& [first, until, probed_heard] = probe;
    PutUntil(d, mono, until);
    Put(d, first);
    if (first != LinkId::kNone) PutAge(d, mono, probed_heard, timing.silent);
    const auto& [live_next, made_since, serving] = out;
    const auto& [report, complete, has_map, peer_settled, map_hash, rights_hash, differs_since, floor, peers,
                 peers_change] = theirs;
    PutAll(d, live_next, std::max(live_next, made_since), report, complete, has_map, peer_settled, map_hash, floor,
           peers, differs_since.has_value());
    if (differs_since) PutAge(d, mono, *differs_since, timing.hash_alarm);
    // A lack that is filled, and haste about one, are forgotten before they are looked at again (Lack::Update).
    const auto& [claim, fetch_now, looked_at, looked_change, avoid_until, asked] = lack;
    Put(d, fetch_now && report && !vector.Covers(*report));
    const bool lacks = claim && !vector.Covers(*claim->claimed);
    Put(d, lacks);
    if (lacks) {
      const auto& [claimed, since] = *claim;
      Put(d, claimed);
      PutAge(d, mono, since, timing.lack);
    }
    PutUntil(d, mono, avoid_until);
    PutAge(d, mono, asked, timing.lack);
    const auto& [told_at, told_change, cut_short, hurry, relayed, relayed_change] = told;
    PutAge(d, mono, told_at, timing.report_every);
    PutAll(d, hurry, told_change == report_change, cut_short);
    Put(d, serving.has_value());
    if (serving) PutSession(d, *serving);
  }
}

namespace {

template <typename Members>
void PutMembers(Digester& d, const Members& members) {
  Put(d, members.size());
  for (const auto& [node, member] : members) {
    // When it was heard or lost, and its clock, are shown in status alone (and end a cursor's wait: no watches here).
    // `disk_stopped`: no node has a disk here. `stable` counts for collection alone, which no exploration lasts long
    // enough for.
    const auto& [id, generation, linked_as, address, linked, leaving, heard_mono, heard_wall_ms, lost_mono, offset_ms,
                 measured, report, report_incarnation, report_mono, relayed_by, disk_stopped, stable, stable_meaning] =
        member;
    PutAll(d, id, generation, linked_as, address, linked, leaving, report, report_incarnation, relayed_by);
  }
}

}  // namespace

void Inside::PutWaits(Digester& d, const Waits& waits, Now now) {
  const auto& [acks, versions, dots, due, tracks, covered, replaced, fresh, to_check, look_again, next] = waits;
  PutAll(d, acks.size(), versions.size(), next, covered, replaced, fresh, look_again, to_check.size());
  for (const WaitId id : to_check) Put(d, id);
  for (const auto* by_dot : {&acks, &versions}) {
    for (const auto& [place, wait] : *by_dot) {
      // `since` is for the text of an answer. `dots` and `due` above follow from these.
      const auto& [id, entry, dot, ack, since, until, acked] = wait;
      const auto& [level, nodes] = ack;
      PutAll(d, id, entry, dot, level, nodes, acked.to_string());
      PutUntil(d, now.mono, until);
    }
  }
  Put(d, tracks.size());
  for (const auto& [node, track] : tracks) {
    const auto& [index, incarnation, confirmed, candidate, missing, done] = track;
    PutAll(d, node, index, incarnation, confirmed, candidate, missing, done);
  }
}

explore::Digest Inside::Of(const Node& node, Now now) {
  Digester d;
  // `options`: the same in all states. `clock_guard`: all clocks are the same, so it has one state. What `readiness`
  // heard: without seeds a node is ready at once. `requests`, `explains`: nobody uses them here.
  const auto& [options, replica, membership, clock_guard, readiness, links, reports, catch_up, retirement, collection,
               calls, effects] = node;
  const auto& [waits, explains, requests, held_answers] = calls;
  // `room`: nobody fills the map. `saving`, `held_answers`, `restored` and `goes_on`: no node has a disk here.
  // `own_incarnations`: asked at a reset, which needs hours. `conflicts` and `ceiling_note`: what is told, and changes
  // nothing. `vector_change`, `news`: as of when something else was found. `shared` and its members: a copy of the
  // vector.
  const auto& [rules, counts_owners, room, self, own_incarnations, restored, goes_on, clock, map, own_log, conflicts,
               saving, ceiling_note, vector_change, news, shared, shared_members] = replica;
  // `alarms`: what is told, and changes nothing.
  const auto& [session_times, asking, next_session, alarms] = catch_up;
  const auto& [store, vector, floor, ceiling, lapses_gone_ms, floor_taken] = map;
  PutAll(d, self, clock.last(), clock_guard.trusted(), ceiling.at_ms(), vector, next_session, readiness.ready());
  PutAll(d, readiness.has_full_map(), floor);
  // Nothing is reset here (pool.cc looks), so nothing is retired.
  PutAll(d, requests.size(), explains.size(), held_answers.size(), retirement.any(), retirement.resets());
  const auto& [next_collect, next_fold] = collection;
  PutUntil(d, now.mono, next_collect);
  PutUntil(d, now.mono, next_fold);
  PutWaits(d, waits, now);
  PutAll(d, readiness.waits_for().size(), readiness.settled(), readiness.shut_out());
  // The orders by revision are for watches alone; the rest of the store follows from its entries and the horizon.
  const auto& [by_key, by_revision, by_renewal, by_expiry, horizon_ms, mono, rewinds, head, last_change, live_keys,
               bytes, held, dead, values_gone_ms, gone_ahead, collected, collected_up_to, hashes, hash, owners] = store;
  PutAll(d, by_key.size(), horizon_ms, values_gone_ms, gone_ahead);
  for (const auto& [key, slot] : by_key) {
    const auto& [entry, revision, renewed, lapsed, changed] = slot;
    PutAll(d, entry, lapsed);
  }
  PutAll(d, own_log.first(), own_log.end());
  for (uint64_t seq = own_log.first(); seq < own_log.end(); ++seq) Put(d, own_log.at(seq));
  PutLinks(d, links, now, options.timing, reports.change(replica), vector);
  Put(d, asking.has_value());
  if (asking) {
    // The times after `all`: no exploration lasts as long as a session may.
    const auto& [id, link, heard, refused, all, asked, whole, turn_ms] = *asking;
    PutAll(d, id, link, refused, all);
    PutAge(d, now.mono, heard, options.timing.session_idle);
  }
  // The explorer dials itself: nobody has a seed or an address, so nothing is random either.
  // `locals`: asked for targets alone. `change` and the rest: as of when something else was found.
  // `any_relayed`, `peers` and its change: what follows from the members, and as of when.
  const auto& [own_info, leaving, times, random, seeds, targets, locals, members, next_tidy_ms, due, any_relayed,
               change, linked_change, peers, peers_change, remembered, remembered_change] = membership;
  PutAll(d, own_info.generation, leaving, seeds.size(), targets.size(), locals.size());
  PutMembers(d, members);
  return d.Done();
}

Inside::Link Inside::Of(const Node& node, LinkId id, Now now) {
  Link out;
  const core::Link* link = node.links_.Find(id);
  if (link == nullptr) return out;
  switch (link->phase()) {
    case core::Link::Phase::kUp:
      out.phase = Phase::kUp;
      break;
    case core::Link::Phase::kAwaitAccept:
      out.phase = Phase::kAwaitAccept;
      break;
    case core::Link::Phase::kProbing:
      out.phase = Phase::kProbing;
      break;
    default:
      out.phase = Phase::kEarly;
  }
  out.live = out.phase == Phase::kUp && link->out.HasLive(node.replica().own_log());
  out.serving = link->out.serves();
  out.asking = node.catch_up_.IsAsking(id);
  const auto& [claim, fetch_now, looked_at, looked_change, avoid_until, asked] = link->lack;
  const VectorPtr& report = link->theirs.vector();
  out.due = report && !node.vector().Covers(*report) &&
            (fetch_now || (claim && now.mono - claim->since >= node.options_.timing.lack));
  return out;
}

}  // namespace leasemap::core

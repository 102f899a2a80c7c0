// One node of the mesh, pure: time and messages come in, Effects go out, and nothing else happens. The same class runs
// in the server (server/host) and, by the thousand, in the simulator (tests/sim).
//
//   node.OnMessage(now, link, message);      // or any other call
//   Perform(node.Take());                    // what is to be done because of it
//   timer.SetTo(node.NextDue(now));          // call Tick then at the latest
//
// The calls are in files by theme: node.cc (time, status), node_ready.cc (readiness, and what is not reached),
// node_clock.cc (the wall clock), node_ceiling.cc (what was written under a clock that was ahead), node_lapse.cc
// (ephemeral keys), node_write.cc (reads and local writes), node_wait.cc (what clients wait for), node_link.cc
// (handshake), node_alive.cc (heartbeats), node_names.cc (whose a node ID is), node_guard.cc (members that break the
// rules), node_replicate.cc (live entries, sessions), node_report.cc, node_watch.cc, node_explain.cc, node_collect.cc
// (what can go, members that are gone), node_reset.cc (a map given up for a peer's). The parts of a node and what each
// owns: ARCHITECTURE.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peer/core/ceiling.h"
#include "peer/core/clock_guard.h"
#include "peer/core/collection.h"
#include "peer/core/conflicts.h"
#include "peer/core/effects.h"
#include "peer/core/explain.h"
#include "peer/core/image.h"
#include "peer/core/lease.h"
#include "peer/core/limits.h"
#include "peer/core/link.h"
#include "peer/core/membership.h"
#include "peer/core/message.h"
#include "peer/core/node_options.h"
#include "peer/core/node_status.h"
#include "peer/core/own_log.h"
#include "peer/core/quarantine.h"
#include "peer/core/readiness.h"
#include "peer/core/refusal_log.h"
#include "peer/core/replica.h"
#include "peer/core/requests.h"
#include "peer/core/retired.h"
#include "peer/core/room.h"
#include "peer/core/session.h"
#include "peer/core/store.h"
#include "peer/core/timing.h"
#include "peer/core/version_vector.h"
#include "peer/core/waits.h"
#include "peer/core/warnings.h"
#include "peer/core/watch.h"
#include "peer/core/write_command.h"

namespace leasemap::core {

class Node {
 public:
  // With an image, the node goes on from there.
  Node(NodeOptions options, Now now, const Image* image = nullptr);

  // --- time and effects
  Effects Take();
  void Tick(Now now);
  // Monotonic milliseconds: Tick has something to do then. Not before now. A Ping or a Pong of which nothing came but
  // messages to send makes it no earlier.
  int64_t NextDue(Now now) const;

  // --- links; `local` and `remote` are host:port as this side sees them
  void OnDialed(Now now, LinkId link, const std::string& address, const std::string& local);
  // `why`: what the system said of it, for people.
  void OnDialFailed(Now now, const std::string& address, const std::string& why);
  // No addresses: `why` not.
  void OnResolved(Now now, const std::string& seed, const std::vector<std::string>& addresses,
                  const std::string& why = "");
  void OnAccepted(Now now, LinkId link, const std::string& local, const std::string& remote);
  void OnMessage(Now now, LinkId link, Message message);
  // A piece of a message came that is not whole yet: over a thin link that is all that is heard of a peer for long.
  void OnPiece(Now now, LinkId link);
  // `why`: what is known of the end, for people; empty: nothing.
  void OnClosed(Now now, LinkId link, const std::string& why = "");
  // What came on the link can't be read.
  void OnMalformed(Now now, LinkId link, const std::string& why);
  // The next bulk message for a link that has room for one: entries of the own log or of a session.
  std::optional<Message> Pull(Now now, LinkId link);
  std::vector<LinkId> LinksToPull() const;

  // --- the map
  // The present entry; null for a missing key, a deleted one, and an ephemeral one whose lease ended (IsGone).
  EntryPtr Get(Now now, std::string_view key) const;
  bool IsGone(Now now, const Store::Slot& slot) const;
  // Writes, or says why not (docs/design.md, section 2.1: arguments, the lease, conditions). A null entry means
  // that there was nothing to change.
  absl::StatusOr<EntryPtr> Write(Now now, const WriteCommand& command);
  // Writes as a client asks for it: a request that was done already is not done again, and acks are waited for, until
  // nine tenths of the patience and 5 s at most.
  absl::StatusOr<Submitted> Submit(Now now, const WriteCommand& command);
  // Waits until the write of this version is covered here; 0: it is.
  absl::StatusOr<WaitId> AwaitVersion(Now now, const std::string& version, int64_t patience_ms);
  // The caller went away. False if the wait was answered already.
  bool CancelWait(WaitId wait);
  // Answers all that wait, with what is known by now; `why` it is too late.
  void EndWaits(Now now, const char* why = "before this node began to shut down");
  const Store& store() const { return replica_.store(); }
  // What reads see: the map, or, while another one is taken in its place without an outage, still the old one.
  const MapState& shown() const;
  const VersionVector& vector() const { return replica_.vector(); }
  // What of the deletes was collected, here or by those this node had its map from.
  const VersionVector& floor() const { return replica_.floor(); }
  Image TakeImage() const;

  // A write that this process took lost to another lease's: counts and keeps it if it was a conflict. Whoever finds it
  // elsewhere than in a merge here (a write that was refused when it was submitted again) calls this, once.
  void NoteConflict(Now now, const EntryPtr& loser, const EntryPtr& winner);
  const Conflicts& conflicts() const { return conflicts_; }
  // Asks the linked members how they see a key; Effects::answered brings the explanation.
  absl::StatusOr<WaitId> Explain(Now now, const std::string& key, int64_t patience_ms);

  // --- watches
  // Starts a watch at a cursor ("" for none), or says what is wrong with it.
  absl::StatusOr<Watch> StartWatch(Now now, WatchFilter filter, bool snapshot, const std::string& cursor) const;
  // Reads on; OK with an empty batch when there is nothing to say yet.
  absl::StatusOr<WatchBatch> ReadWatch(Now now, Watch& watch) const;

  // --- the mesh
  absl::StatusOr<int> SendBroadcast(Now now, const std::string& to_node, const std::string& payload);
  // Forgets a member that won't come back: acks and collection wait for it no more. REQUEST_INVALID if it is linked.
  absl::Status Forget(const std::string& node);
  // Announces that this node leaves, for good as far as its map goes. Before it hangs up.
  void Leave(Now now);
  // Other seeds from now on; host:port each.
  void SetSeeds(const std::vector<std::string>& seeds) { membership_.SetSeeds(seeds); }
  // Gives the map up for the others', and submits again what they lack.
  void Reset(Now now, const std::string& why);
  // How often the map was given up, and how often that was for another ceiling, without an outage of reads.
  uint64_t resets() const { return resets_; }
  uint64_t yields() const { return yields_; }
  // Counts the times that reads were given another map: what was read of the one before no longer holds.
  uint64_t maps() const { return maps_; }
  // It serves reads from its old map until it has taken a peer's, and refuses writes.
  bool yielding() const { return retired_ && retired_->serves; }
  // What is bogus here now.
  Reach ReachAt(Now now) const { return replica_.ceiling().ReachAt(now.wall_ms); }
  const Ceiling& ceiling() const { return replica_.ceiling(); }
  bool clock_trusted() const { return clock_guard_.trusted(); }
  uint64_t hash_alarms() const { return hash_alarms_; }
  // It serves. Once it was ready it stays so, but for a reset, and while it is shut out by its own name: linked with
  // nobody, and refused because another process has its node ID.
  bool ready() const { return (readiness_.ready() || yielding()) && !readiness_.shut_out(); }
  // What it waits for, most telling first, as of the last call that changed something; empty if it is ready.
  const std::vector<ReadyWait>& waits_for() const { return readiness_.waits_for(); }
  const ReplicaId& self() const { return replica_.self(); }
  bool is_up(LinkId link) const;  // the handshake on it is done
  size_t links_up() const;
  const OwnLog& own_log() const { return replica_.own_log(); }
  const Quarantine& quarantine() const { return quarantine_; }
  const NodeOptions& options() const { return options_; }
  NodeStatus GetStatus() const;
  Usage GetUsage() const;

 private:
  friend struct Inside;  // tests/sim/explore: all of the state, to tell two states apart

  // node.cc
  void Log(bool warning, std::string text);

  // node_ready.cc
  void UpdateReady(Now now);
  void Warn(Now now);

  // node_lapse.cc
  void Lapse(Now now);
  void EndGone(Now now);
  int64_t LapseDue(Now now) const;
  int64_t HorizonAt(Now now) const;
  // node_collect.cc
  void Collect(Now now);
  void ForgetSilent(Now now);
  void MakeRoomForMembers(Now now);
  std::string NoRoomText() const;
  void CompareHashes(Now now);

  // node_reset.cc
  enum class Yields { kNobody, kSelf, kPeer };
  // Whether who covers `vector`, on the ground of `own` floor, may hold what was deleted and collected up to `floor`.
  static bool IsBelow(const VersionVector& vector, const VersionVector& own, const VersionVector& floor);
  Yields JudgeFloors(const Link& link, const Report& report) const;
  bool IsCredible(const VersionVector& floor) const;
  // `ceiling_ms`: of the map that it is given up for, if that is why; who was ready goes on to serve reads then.
  void Reset(Now now, VectorPtr peer, const std::string& why, std::optional<LowerCeiling> ceiling = std::nullopt);
  std::vector<EntryPtr> Unsubmitted() const;
  void TakeIncarnation(uint64_t incarnation);
  void TakeBack(Now now);
  void Resubmit(Now now, const Store::Slot& slot);
  void ResubmitSome(Now now);
  void Restore(const Image& image, Now now);

  // node_ceiling.cc
  // A map to go by. Who starts from an image has none before it is ready: it takes its peers' ceiling.
  bool HoldsMap() const { return readiness_.ready() && !vector().empty(); }
  // Of an earlier process of its own, or as much as has come of another's.
  bool HoldsPart() const { return !readiness_.ready() && !vector().empty(); }
  CeilingWord OurWord(Now now) const;
  void FixCeiling(Now now);
  std::optional<LowerCeiling> LowestCeiling(Now now, LinkId except) const;
  void TakeCeiling(Now now, int64_t ceiling_ms, const std::string& from);
  void YieldTo(Now now, const Link& link, VectorPtr vector, LowerCeiling ceiling);
  static void NoteCeiling(Link& link, const Report& report);
  bool HasPeersMap(Now now);
  int64_t YieldPatienceMs() const { return 2 * options_.timing.silent; }
  bool AgreeOnCeiling(Now now, LinkId id, Link& link, const Accept& accept);
  void CheckCeilings(Now now);
  void FollowLowestCeiling(Now now);
  Standing StandingOf(Now now, const Store::Slot* slot) const;
  int64_t LeaseEndOf(Now now, const Store::Slot& slot) const;

  // node_clock.cc
  void LookAtClock(Now now);
  absl::Status CheckClock() const;
  bool ClockFits(Now now, Link& link, int64_t peer_wall_ms, int64_t sent_ms);
  void NoteClock(Now now, const std::string& node, bool agrees);

  // node_guard.cc
  bool Allowed(Now now, LinkId id, Link& link, const Message& message);
  bool ClaimsUnmade(const VersionVector& vector) const;
  void CutOff(Now now, LinkId id, Link& link, const std::string& why);
  void RefuseBogus(Now now, LinkId id, Link& link);
  VectorPtr Believable(const VectorPtr& vector) const;
  absl::Status SpendControl(Now now);

  // node_alive.cc
  void Heard(Now now, Link& link);
  int64_t SilentAfter(const Link& link) const;
  int64_t HandshakeMost(const Link& link) const;
  void Heartbeats(Now now);

  // node_link.cc
  void SendHello(Now now, LinkId id, Link& link);
  void OnHello(Now now, LinkId id, Link& link, Hello hello);
  void SendAccept(Now now, LinkId id, Link& link);
  void OnAccept(Now now, LinkId id, Link& link, const Accept& accept);
  void OnRefuse(Now now, LinkId id, Link& link, const Refuse& refuse);
  void Answer(Now now, LinkId id, Link& link);
  std::optional<Refuse> Judge(Now now, const Link& link) const;
  void RefuseLink(Now now, LinkId id, Link& link, const Refuse& refuse);
  void Drop(Now now, LinkId id, const std::string& why);
  enum class Duplicate { kNone, kProbe, kYield, kHeld };
  Duplicate CheckDuplicate(Now now, LinkId id, const Link& link) const;
  bool NameIsHeld(Now now, const Hello& hello) const;
  LinkId UpLinkOf(const std::string& node) const;
  void Probe(Now now, LinkId id, Link& link);
  void EndProbes(Now now);
  void Establish(Now now, LinkId id, Link& link, const Report& report);
  bool OutrunOldSelf(Now now, LinkId id, Link& link, const Report& report);
  void NoteRefusal(Now now, Link& link, RefusalLog::By by, const Refuse& refuse);

  // node_replicate.cc
  bool Apply(Now now, const EntryPtr& entry);
  EntryPtr ApplyOwn(Now now, std::shared_ptr<Entry> draft);
  void Repeat(Now now, const Entry& loser, const Entry& winner);
  bool Stands(const Entry& entry) const;
  bool TakeEntries(Now now, LinkId id, const std::vector<EntryPtr>& entries, bool session);
  void OnSessionRequest(LinkId id, Link& link, const SessionRequest& request);
  void OnSessionEnd(Now now, LinkId id, const SessionEnd& end);
  void UpdateLack(Now now, Link& link);
  void LackValue(Now now, Link& link, const Dot& dot);
  int64_t LackDue(Now now, const Link& link) const;
  std::pair<const LinkId, Link>* LinkToAsk(Now now);
  void AskForSession(Now now);

  // node_report.cc
  uint64_t report_change() const { return report_change_ + replica_.change(); }
  VectorPtr ForPeer(const Link& link, const VectorPtr& vector) const;
  void UpdateRelayed(Link& link) const;
  Report MakeReport(Link& link) const;
  int64_t ReportDue(const Link& link) const;
  void SendReports(Now now);
  void SendReportIfDue(Now now, LinkId id, Link& link);
  void SendReport(Now now, LinkId id, Link& link);
  void OnReport(Now now, LinkId id, Link& link, const Report& report);
  void NoteMembers(Now now, const PeersPtr& peers, Link& link);

  // node_watch.cc
  template <typename Read>
  auto WithReader(Now now, Read read) const;

  // node_write.cc
  absl::Status CheckMap(Now now) const;
  absl::Status CheckRoom(const WriteCommand& command, const Entry* previous) const;
  bool HasRoom(const Entry& entry);
  // Bytes of memory: the map, and what is kept beside it. Entries that are in the map and in the own log count twice.
  uint64_t HeldBytes() const { return store().held() + own_log().bytes() + conflicts_.bytes(); }
  absl::StatusOr<std::optional<EntryPtr>> FindDone(Now now, const WriteCommand& command);
  EntryPtr Remember(Now now, const WriteCommand& command, const EntryPtr& entry);

  // node_wait.cc
  absl::Status CheckWaits() const;
  void AskForReports(const Dot& dot);
  void SettleWaits(Now now);
  Waits::View WaitsView(Now now) const;

  // node_explain.cc
  void OnQuery(LinkId id, const Query& query);
  void OnQueryReply(Now now, LinkId id, const QueryReply& reply);
  void EndExplains(Now now);

  const NodeOptions options_;
  Room room_{options_.max_bytes};
  Replica replica_;
  Membership membership_;
  ClockGuard clock_guard_;
  bool check_ceilings_ = false;  // a peer told another one than before
  std::string ceiling_note_;     // for people: the ceiling, and how this node came to it; empty: none
  uint64_t report_change_ = 1;   // counts what makes reports differ, beside changes of the replica
  std::map<LinkId, Link> links_;
  Waits waits_;
  Requests requests_;
  Conflicts conflicts_{room_.side_bytes(kMaxConflictBytes)};
  Explains explains_;
  std::optional<AskedSession> asking_;
  uint64_t next_session_ = 1;
  Readiness readiness_;
  Warnings warnings_;  // of what is not reached
  std::optional<Retired> retired_;
  uint64_t resets_ = 0, yields_ = 0, maps_ = 0, hash_alarms_ = 0;
  RefusalLog refusals_;
  Collection collection_;
  Quarantine quarantine_;
  Effects effects_;
};

}  // namespace leasemap::core

// One node of the mesh, pure: time and messages come in, Effects go out, and nothing else happens. The same class runs
// in the server (server/host) and, by the thousand, in the simulator (tests/sim).
//
//   node.OnMessage(now, link, message);      // or any other call
//   Perform(node.Take());                    // what is to be done because of it
//   timer.SetTo(node.NextDue(now));          // call Tick then at the latest
// Node is the only door to its parts, each of which owns its state (ARCHITECTURE.md, "The parts of a node").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "peer/core/data/effects.h"
#include "peer/core/data/image.h"
#include "peer/core/data/message.h"
#include "peer/core/data/mono_time.h"
#include "peer/core/data/node_options.h"
#include "peer/core/mesh/catch_up.h"
#include "peer/core/mesh/clock_guard.h"
#include "peer/core/mesh/collection.h"
#include "peer/core/mesh/links.h"
#include "peer/core/mesh/membership.h"
#include "peer/core/mesh/readiness.h"
#include "peer/core/mesh/reports.h"
#include "peer/core/mesh/retirement.h"
#include "peer/core/node/calls.h"
#include "peer/core/node/node_status.h"
#include "peer/core/node/watch.h"
#include "peer/core/node/write_command.h"
#include "peer/core/sync/replica.h"

namespace leasemap::core {

class Node {
 public:
  // --- time and effects; with an image, the node goes on from there
  Node(NodeOptions options, Now now, const Image* image = nullptr);
  Effects Take();
  void Tick(Now now);
  // Monotonic milliseconds, not before now: Tick has something to do then. Pings and Pongs make it no earlier.
  MonoTime NextDue(Now now) const;

  // --- links; `local` and `remote` are host:port as this side sees them, `why` is for people (empty: not known)
  void OnDialed(Now now, LinkId link, const std::string& address, const std::string& local);
  void OnDialFailed(Now now, const std::string& address, const std::string& why);
  // `why` there are no addresses.
  void OnResolved(Now now, const std::string& seed, const std::vector<std::string>& addresses,
                  const std::string& why = "");
  void OnAccepted(Now now, LinkId link, const std::string& local, const std::string& remote);
  void OnMessage(Now now, LinkId link, Message message);
  void OnPiece(Now now, LinkId link);  // of a message that is not whole yet (Liveness::HeardPiece)
  void OnClosed(Now now, LinkId link, const std::string& why = "");
  void OnMalformed(Now now, LinkId link, const std::string& why);  // bytes came on it that can't be read
  void OnUnproven(Now now, LinkId link, const std::string& why);   // TLS failed on it
  // The next bulk message for a link that has room for one: entries of the own log or of a session.
  std::optional<Message> Pull(Now now, LinkId link);
  std::vector<LinkId> LinksToPull() const;

  // --- the map
  // The present entry; null for a missing key, a deleted one, and an ephemeral one whose lease ended (IsGone).
  EntryPtr Get(Now now, std::string_view key) const;
  bool IsGone(Now now, const Store::Slot& slot) const;
  // Writes, or says why not (docs/design.md, section 2.1). A null entry: there was nothing to change.
  absl::StatusOr<EntryPtr> Write(Now now, const WriteCommand& command);
  // Writes as a client asks for it: a request that was done already is not done again, and acks are waited for, until
  // nine tenths of the patience and 5 s at most.
  absl::StatusOr<Submitted> Submit(Now now, const WriteCommand& command);
  // Waits until the write of this version is covered here; 0: it is.
  absl::StatusOr<WaitId> AwaitVersion(Now now, const std::string& version, int64_t patience_ms);
  // Asks the linked members how they see a key; Effects::answered brings the explanation.
  absl::StatusOr<WaitId> Explain(Now now, const std::string& key, int64_t patience_ms);
  bool CancelWait(WaitId wait) { return calls_.Cancel(wait); }  // the caller went away; false if it was answered
  // Answers all that wait, with what is known by now; `why` it is too late.
  void EndWaits(Now now, const char* why = "before this node began to shut down");
  // Starts a watch at a cursor ("" for none), or says what is wrong with it.
  absl::StatusOr<Watch> StartWatch(Now now, WatchFilter filter, bool snapshot, const std::string& cursor) const;
  // Reads on; OK with an empty batch when there is nothing to say yet.
  absl::StatusOr<WatchBatch> ReadWatch(Now now, Watch& watch) const;
  // What reads see: the map, or, while another one is taken in its place without an outage, still the old one.
  const MapState& shown() const { return yielding() ? retirement_.map() : replica_.map(); }

  // --- the mesh
  absl::StatusOr<int> SendBroadcast(Now now, const std::string& to_node, const std::string& payload);
  // Forgets a member that won't come back: acks and collection wait for it no more. REQUEST_INVALID if it is linked.
  absl::Status Forget(Now now, const std::string& node);
  // Announces that this node leaves, for good as far as its map goes. Before it hangs up.
  void Leave(Now now);
  void SetSeeds(const std::vector<std::string>& seeds) { membership_.SetSeeds(seeds); }  // host:port each
  void SetRightsHash(uint64_t hash) { reports_.SetRightsHash(hash); }                    // Report::rights_hash
  // Gives the map up for the others', and submits again what they lack. `peer`: what the member covers for whose map it
  // is given up; `ceiling`: that of this map, if that is why.
  void Reset(Now now, const std::string& why, VectorPtr peer = nullptr,
             std::optional<LowerCeiling> ceiling = std::nullopt);

  // --- what it is
  // It serves. Once ready it stays so, but for a reset, and while it is shut out by its own name (Readiness::shut_out).
  bool ready() const { return (readiness_.ready() || yielding()) && !readiness_.shut_out(); }
  // It serves reads from its old map until it has taken a peer's, and refuses writes.
  bool yielding() const { return retirement_.serves(); }
  // What it waits for, most telling first, as of the last call that changed something; empty if it is ready.
  const std::vector<ReadyWait>& waits_for() const { return readiness_.waits_for(); }
  bool clock_trusted() const { return clock_guard_.trusted(); }
  const ReplicaId& self() const { return replica_.self(); }
  const NodeOptions& options() const { return options_; }
  const Replica& replica() const { return replica_; }
  const Store& store() const { return replica_.store(); }
  const VersionVector& vector() const { return replica_.vector(); }
  const Retirement& retirement() const { return retirement_; }
  const Links& links() const { return links_; }
  NodeStatus GetStatus() const;
  Usage GetUsage() const;
  Image TakeImage() const;

  // --- a copy that comes back (backup.h). It may if this map is empty, and so are those of the linked members.
  absl::Status CheckRestore(Now now, const std::vector<EntryPtr>& entries) const;
  // Takes some of them; then what they cover all together.
  void Restore(Now now, const std::vector<EntryPtr>& entries);
  void EndRestore(Now now, const Image& image);
  WaitId AwaitSaved();  // waits until all that was applied is on the disk; 0: it is

  // --- the disk (saving.h). The next piece for it, only if it is due. The shell writes it as a whole or not at all,
  // and then says how that went, before it takes another.
  bool SaveIsDue() const { return replica_.SaveIsDue(membership_.change(), readiness_.has_full_map()); }
  Unsaved TakeUnsaved();
  void OnSaved(Now now);
  void OnSaveFailed();
  // How the disk does from now on. One that takes nothing: what waits for it is answered DISK_FULL or DISK_FAILED.
  void SetDiskState(DiskState state);

 private:
  friend struct Inside;  // tests/sim/explore: all of the state, to tell two states apart
  class Handshake;       // node_handshake.h
  class Ceilings;        // node_ceiling.h

  // node.cc
  void Log(bool warning, std::string text) { effects_.log.push_back({warning, std::move(text)}); }
  void Send(LinkId link, Message message) { effects_.send.push_back({link, std::move(message)}); }
  void Changed() { reports_.Changed(), effects_.changed = true; }  // for the members, and for watches here
  void UpdateReady(Now now);
  // node_save.cc
  void Answer(std::vector<Effects::Answered> answered);
  WaitId Hold(absl::Status status, EntryPtr entry);
  // node_link.cc, node_alive.cc
  void Drop(Now now, LinkId id, const std::string& why);
  void DropAll(Now now);
  void Close(Now now, LinkId id, const std::string& why);
  void KeepAlive(Now now);
  // node_guard.cc
  bool Allowed(Now now, LinkId id, Link& link, const Message& message);
  void CutOff(Now now, LinkId id, Link& link, const std::string& why);
  void RefuseBogus(Now now, LinkId id, Link& link);
  // node_clock.cc, node_lapse.cc
  void LookAtClock(Now now);
  bool ClockFits(Now now, Link& link, int64_t peer_wall_ms, MonoTime sent);
  void NoteClock(Now now, const std::string& node, bool agrees);
  bool HoldsMap() const { return readiness_.ready() && !vector().empty(); }
  bool HoldsPart() const { return !readiness_.ready() && !vector().empty(); }
  void Lapse(Now now);
  // node_replicate.cc
  bool Apply(Now now, const EntryPtr& entry);
  EntryPtr ApplyOwn(Now now, std::shared_ptr<Entry> draft);
  void NoteConflict(Now now, const EntryPtr& loser, const EntryPtr& winner);
  bool TakeEntries(Now now, LinkId id, const std::vector<EntryPtr>& entries, bool session);
  void AskForSession(Now now) { catch_up_.Ask(now, links_, replica_, membership_, effects_.send); }
  void OnSessionEnd(Now now, LinkId id, Link& link, const SessionEnd& end);
  Reports::Own OwnReport() const;
  void SendReport(Now now, LinkId id, Link& link);
  void SendReports(Now now, bool all);
  void OnReport(Now now, Link& link, const Report& report);
  // node_reset.cc, node_collect.cc
  void TakeBack(Now now);
  void Resubmit(Now now, const Store::Slot& slot);
  void ResubmitSome(Now now);
  void Collect(Now now);
  void ForgetMembers(Now now);
  // node_write.cc, node_calls.cc
  absl::Status CheckWritable(Now now) const;
  void SettleWaits(Now now);
  template <typename Read>
  auto WithReader(Now now, Read read) const;

  const NodeOptions options_;
  Replica replica_;
  Membership membership_;
  ClockGuard clock_guard_;
  Readiness readiness_;
  Links links_;
  Reports reports_;
  CatchUp catch_up_;
  Retirement retirement_;
  Collection collection_;
  Calls calls_;
  Effects effects_;
};

}  // namespace leasemap::core

// Every bound of the core in one place, each with its reason; at the end, where those of the shell are.
//
// What has no bound of its own is bounded by these: a message's parts by the frame it came in, effects by what one read
// of a socket brings, streams by what waits at the store instead of in a queue.
#pragma once

#include <cstddef>
#include <cstdint>

namespace leasemap::core {

// Key and value sizes are part of the public API (protos/leasemap/v1/key_value.proto).
inline constexpr size_t kMaxKeyBytes = 4096;
inline constexpr size_t kMaxValueBytes = 1 << 20;
inline constexpr size_t kMaxNameBytes = 255;  // holder, node ID, cluster

// A lease longer than this is taken for a mistake; it also keeps every time below within 63 bits of milliseconds.
inline constexpr int64_t kMaxLeaseMs = int64_t{100} * 366 * 24 * 3600 * 1000;

// The own log: enough for links a second behind at a few thousand writes a second; who falls off it is served by a
// session, so the bound costs a scan and never a write.
inline constexpr size_t kOwnLogEntries = 16384;
inline constexpr size_t kOwnLogBytes = 32 << 20;

// Of the entries that go to the disk in one write (saving.h), a value more at most: a write takes some ten milliseconds
// then, and what waits for it no longer.
inline constexpr size_t kSaveBytes = 4 << 20;

// Dead entries looked at, and entries submitted again after a reset, in one go: well below a millisecond under the
// lock.
inline constexpr size_t kCollectAtOnce = 1000;
inline constexpr size_t kResubmitAtOnce = 200;

// One Live or SessionEntries message: large enough that per-message costs vanish, small enough that a heartbeat never
// waits long behind it. A single larger entry travels alone.
inline constexpr size_t kBatchBytes = 64 << 10;
inline constexpr size_t kBatchEntries = 512;

// A report names at most this many exceptions in all; what is left out is claimed later. A few for each of 64 members:
// a session fills gaps in the order of keys, so that a node in one has thousands of exceptions for seconds, and
// sends them to everybody ten times a second. With 4,096 of them thirty nodes that heal from a partition did nothing
// else.
inline constexpr size_t kReportExceptions = 256;
// How far processes of the past went is remembered of this many, the latest: with cursors older than that many restarts
// and departures, which of their writes died with their node is no longer known, and they expire. 1,024 are about 60
// KiB, which each handshake and each session carries.
inline constexpr size_t kMaxFolded = 1024;
// A cursor is not made while the vector has more exceptions than this (they would make it long; sessions soon fill
// the gaps).
inline constexpr size_t kCursorExceptions = 64;
inline constexpr size_t kMaxCursorBytes = 256 << 10;

// The full mesh is made for up to 64 nodes; twice that is room for members that are gone but remembered.
inline constexpr size_t kMaxMembers = 128;
// So many of these places are kept for newcomers: where more members are remembered, the longest silent are forgotten
// before their 72 h, if nothing is lost by it. As many as may start within seconds.
inline constexpr size_t kMemberRoom = 16;
// The parts of the map's fingerprint: a difference is found, and mended, without the whole map.
inline constexpr size_t kHashBuckets = 256;

// Addresses dialled: members, and what the seeds' names stand for.
inline constexpr size_t kMaxTargets = 512;
// Own addresses remembered, as links had them: one for each network of the host. Beyond, a new one is not noticed.
inline constexpr size_t kMaxLocals = 64;
// Links at most: one for each member and as many again while duplicates are being settled.
inline constexpr size_t kMaxLinks = 2 * kMaxMembers;
// Accepted links at most that wait for a Hello, of all and of one address: a member says its Hello at once, so many
// only wait where many nodes start together on one machine, or where strangers say nothing.
inline constexpr size_t kMaxStrangers = 64, kMaxStrangersOfOne = 32;

// Looked at in one go under the node's lock, keys of a session and revisions of a watch: a few hundred microseconds.
inline constexpr size_t kSessionWalk = 4096;
inline constexpr size_t kWatchScan = 4096;
// One message of a watch: at most this many events and bytes (a larger single event travels alone), well below what
// gRPC clients take by default (4 MiB). A client that does not read leaves one with the node, which gRPC holds once
// more: 64 KiB.
inline constexpr size_t kWatchBatchEvents = 128;
inline constexpr size_t kWatchBatchBytes = 32 << 10;

// A watch that does not come to the head gets its cursor by a pass over the keys (watch.h). It begins after this many
// events without one, and an eighth as many as there are keys: then a pass looks at no more than eight keys for each
// event.
inline constexpr size_t kPassAfterEvents = 1000;
inline constexpr size_t kPassKeysAnEvent = 8;
// What a pass sends that is later than the vector it noted makes gaps in its cursor, this many at most: some 200 KiB of
// memory, and 20 KB of a cursor that comes seldom. What is beyond may come once more.
inline constexpr size_t kPassGaps = 4096;

// Local writes beyond these are refused (KEY_LIMIT, BYTES_LIMIT). Tombstones count. The bytes are those of a node that
// is told no limit, as in the simulator; leasemapd's --max-bytes goes by its machine (server/host/memory.h).
inline constexpr uint64_t kMaxKeys = 10'000'000;
inline constexpr uint64_t kMaxMapBytes = uint64_t{8} << 30;
// Of the limit on bytes (room.h): an eighth more for what members bring; the own log and the conflicts may keep a
// sixteenth each of what the map holds no more.
inline constexpr uint64_t kReserveParts = 8;
inline constexpr uint64_t kSideParts = 16;

// Ephemeral entries that lapse in one go, up to the end of a millisecond: a few milliseconds under the node's lock.
inline constexpr size_t kLapseBatch = 4096;
// Dead entries ahead of the clock that are looked at in one go, for those whose value is gone: some 10 ms under the
// lock.
inline constexpr size_t kGoneLooks = 50'000;
// A snapshot waits for what has to lapse before it: a million keys in batches take less. It looks this often.
inline constexpr int64_t kSnapshotWaitMs = 2000, kSnapshotLookMs = 5;
// How long a lapsed key keeps its value: for EXPIRED events to watches that are behind or away for a moment, and in
// case a clock that was ahead is set back. Then the memory is worth more: the rest of the entry stays until it is
// collected.
inline constexpr int64_t kKeepLapsedMs = 600'000;

inline constexpr size_t kMaxBroadcastBytes = 64 << 10;
// Links that wait for another's probe at once; further ones are refused and dial again.
inline constexpr size_t kMaxProbes = 64;

// A member's word on this node's clock counts for this many heartbeats: a refused member dials again within three, and
// one that is linked is measured at each.
inline constexpr int64_t kClockAnswerBeats = 10;

// A stamp is bogus from 4 bounds ahead on (docs/design.md, section 2.3). What a node holds itself may be one more ahead
// before it fixes a ceiling: small steps of its clock come to that.
inline constexpr int64_t kBogusBounds = 4;
inline constexpr int64_t kBogusPastBounds = 5;
// A ceiling ends with a period of at least an hour, and at least one such period above what it is fixed for: at 65,536
// writes for each millisecond of stamps, nobody comes to it by writing.
inline constexpr int64_t kLeastCeilingPeriodMs = 3'600'000;

// Clocks that two members agree with may be four clock bounds apart from each other, with what the round trip hides:
// what is collected is of a period that is over by all of them.
inline constexpr int64_t kCollectBounds = 4;

// Calls that wait for acks or for a version (waits.h): 2,000 a second for the longest wait of 5 s, some 5 MiB.
inline constexpr size_t kMaxWaits = 10'000;
// Requests remembered by their ID (requests.h): each has a key of at most 4 KiB and no value, so 60 MiB at the very
// most and some 5 MiB as a rule. At over 16 a second the oldest are forgotten before their ten minutes.
inline constexpr size_t kMaxRequests = 10'000;
inline constexpr size_t kMaxRequestIdBytes = 64;  // a UUID has 36
// Incarnations of this process that it knows as its own: a reset, or an older self that it meets, makes another.
inline constexpr size_t kMaxOwnIncarnations = 64;
// Conflicts kept for ListConflicts and watchers (conflicts.h); the total goes on counting. A heal brings tens of
// thousands within a second, and a watcher needs some seconds to read them. Those of small entries fit in the bytes
// below.
inline constexpr size_t kMaxConflicts = 50'000;
inline constexpr size_t kMaxConflictBytes = 32 << 20;  // both entries' values are kept: a value can have 1 MiB
// Explains that gather answers at once: asked by people, each costs every member a message.
inline constexpr size_t kMaxExplains = 64;

// Messages that a member may send a second, entries aside, and how many at once. An honest one sends some heartbeats,
// ten reports, one more for each millisecond in which an ack is waited for, and what clients cause (below): half of it.
// A link that stalled brings what was queued within three seconds at once; after that it is closed.
inline constexpr int64_t kControlPerSecond = 4000;
inline constexpr int64_t kControlBurst = 20000;
// Broadcasts and queries that a node sends for its clients in a second, so that no client makes it look like a flood.
inline constexpr int64_t kClientPerSecond = 1000;
// A node asks for one session at a time, and for what it lacked for a second; links that flap ask at each handshake.
inline constexpr int64_t kSessionsPerSecond = 2;
inline constexpr int64_t kSessionBurst = 60;
// Writes from the future: one may be on its way when a clock is set right.
inline constexpr int64_t kBogusBurst = 3;
// Later selves of this node that one member knows: one for each time that the clock went back between two starts.
inline constexpr int64_t kOutrunBurst = 3;
// A member that broke the rules is refused for this long: its cost is then a handshake a minute, and one that was
// mended is back within a minute.
inline constexpr int64_t kQuarantineMs = 60'000;
// Refusals remembered, so that each is logged once: a few for each member. A new one replaces the oldest if that is
// older than a minute, so that strangers with ever new names cause a line a second at most.
inline constexpr size_t kMaxLoggedRefusals = 64;
inline constexpr int64_t kLoggedRefusalMs = 60'000;

// Times, in milliseconds.
inline constexpr int64_t kClockRetryMs = 1000;   // a write refused for the clock's sake: the next heartbeat may mend it
inline constexpr int64_t kYieldRetryMs = 200;    // a write while a map is taken from a peer: mostly it is there by then
inline constexpr int64_t kHeartbeatMs = 1000;    // design: every second
inline constexpr int64_t kSilentMs = 3000;       // design: silent after three
inline constexpr int64_t kProbeMs = 1000;        // design: a first link silent for a second is replaced
inline constexpr int64_t kReportEveryMs = 100;   // design: at most every 100 ms
inline constexpr int64_t kLackMs = 1000;         // design: a dot lacked for longer than a second is asked for
inline constexpr int64_t kSessionIdleMs = 5000;  // a session from which nothing came for this long is given up
// A node whose map is full asks twice a minute for what it left out, since each time all of that comes. Room that was
// made is used half a minute later at most.
inline constexpr int64_t kFullAgainMs = 30'000;
// One that brings no whole entry for this long (doubled each time, up to the next) gives way to another member who has
// what is lacked, if there is one: over a thin link a value may take an hour, over another link a second.
inline constexpr int64_t kSessionTurnMs = 60'000;
// One that goes on for longer is given up once something whole came, and asked for again: nobody keeps a node from
// asking others by sending little for ever. Entries that came are kept. 8 GiB take 12 minutes at 100 Mbit/s.
inline constexpr int64_t kSessionMostMs = 1'800'000;
// In the middle of a message a link may be silent for this many times longer. A packet of 1,448 bytes takes 5 s where a
// value of a MiB takes an hour, and a path's queue brings such packets in bursts.
inline constexpr int64_t kSilentInMessage = 3;
// A handshake of which bytes still come has this many times longer: a report of 64 members over such a link.
inline constexpr int64_t kHandshakeInMessage = 4;
inline constexpr int64_t kReadyAfterMs = 3000;  // a node that has a map gives its seeds this long to answer once
// A node without a map takes a seed for absent if it does not answer for this long: the machines of a cluster that
// start together, or a container whose neighbours are being made, are up within it.
inline constexpr int64_t kAbsentAfterMs = 10'000;
// Processes of one member that may end before it had heard whom it can hear. Those after them are not waited for: a
// member that crashes again and again must not keep the others from serving.
inline constexpr int kUnsettledProcesses = 2;
// A node ID is given to a process at another address only if the first was silent for this long: more than three
// silences, so that a stall of a few seconds costs nobody its name.
inline constexpr int64_t kNameHoldMs = 10'000;
inline constexpr int64_t kSelfRetryMs = 30'000;  // an address that led back to this node is dialled this often at least
// A warning that repeats (a seed that is not linked, a node that is not ready) comes after 3 s, then after 10, 20, 40 …
// up to ten minutes: soon enough to be seen by the person who started the node, and 6 lines an hour in the end.
inline constexpr int64_t kWarnAfterMs = 3000;
inline constexpr int64_t kWarnAgainMs = 10'000;
inline constexpr int64_t kWarnMostMs = 600'000;
inline constexpr int64_t kDialMinMs = 100;        // first back-off; doubles up to the next
inline constexpr int64_t kDialMaxMs = 3000;       // so that a healed mesh is whole within seconds
inline constexpr int64_t kDialTimeoutMs = 3000;   // a dial with no answer is a failure
inline constexpr int64_t kHandshakeMs = 4000;     // half a handshake is closed within 5 s
inline constexpr int64_t kResolveEveryMs = 2000;  // a seed's name is resolved again this often: addresses come and go
// A name that is not resolved by then counts as failed for now. Two name servers of which the first is dead take 5 s
// and more (resolv.conf(5): timeout).
inline constexpr int64_t kResolveMs = 10'000;
inline constexpr int64_t kGoneMs = 30000;        // not linked for this long: shown as GONE, and no restart or blip
inline constexpr int64_t kTidyEveryMs = 10000;   // how often addresses of nobody are dropped
inline constexpr int64_t kCursorWaitMs = 10000;  // design: a resumed watch waits this long for its node to catch up
inline constexpr int64_t kCursorEveryMs = 1000;  // design: with new events not more than once a second
inline constexpr int64_t kCursorIdleMs = 15000;  // design: at least every 15 s
inline constexpr int64_t kCursorLostMs = 1000;   // reports are at most this old before writes are taken for gone
inline constexpr int64_t kWaitMs = 5000;         // design: an ack is awaited this long at most
inline constexpr int64_t kRequestMs = 600'000;   // a client that retries for longer has given up
inline constexpr int64_t kExplainMs = 1000;      // a member that has not answered by then is shown as silent
// A neighbour that waits for an ack is reported to this often at most, times a quarter of the links: with 64 nodes
// every 16 ms, else its thread would do nothing but read reports.
inline constexpr int64_t kReportNowMs = 1;
inline constexpr int64_t kKeepDeadMs = 3'600'000;   // design: a tombstone is kept for an hour, or the lease period
inline constexpr int64_t kCollectEveryMs = 10'000;  // tombstones wait an hour: some seconds more don't matter
// Each time all that is known of processes that ended is compared with what the members report of them.
inline constexpr int64_t kFoldEveryMs = 2000;
inline constexpr int64_t kHashAlarmMs = 5000;  // maps that differ at equal vectors for this long are an alarm
inline constexpr int64_t kForgetAfterMs = int64_t{72} * 3600 * 1000;  // design: 72 h
// A node that gave its map up for a peer's, and finds no peer for this long, takes its own back.
inline constexpr int64_t kResetGiveUpMs = 60'000;

// The bounds of the shell, each beside what it bounds, with its reason there:
//
// - peer/wire/frame.h: kMaxFrameBytes, kMaxFirstFrameBytes, kPieceBytes, kMaxEnvelopeBytes: what a peer can make a link
//   store
// - peer/wire/codec_parts.cc: kMaxSeq, kMaxMs, kMaxUnknownBytes, kMaxAddressBytes: what its fields say
// - peer/wire/report_codec.cc: kMaxVectorParts: what a peer's changes to its report can add up to
// - peer/net/connection.h: kPullBelowBytes, kMaxQueuedBytes, kMaxBroadcastQueue, kLingerMs: what a link queues
// - peer/net/connection.cc: kMostWrite, kWriteFrames, kPullsAtOnce: what one turn of a link does
// - peer/net/transport.cc: kMaxSockets, kAcceptAgain: how many links there are, strangers and closing ones too
// - server/host/node_host.cc: kMaxPendingSends, kLeaveMs: what waits for the network thread, and a stop
// - server/host/watchdog.h: kLongWait, kEvery, kLooks: how long the node's lock may be held
// - server/host/memory.cc, rpc/server.cc, connections.h: shares of the memory; requests, connections, calls, a drain
// - server/rpc/watch_hub.h, subscribers.h, limits.h: Bounds, kMaxStreams, kMaxMessages, kMaxBytes: streams
// - server/rpc/convert.cc: kMaxWatchPrefixes, kMaxWatchKeys: what one watch asks for
// - server/rpc/key_value_batch.cc: kMaxBatch, kMaxBatchWriteBytes, kMaxAnswers: what a batch does
// - server/rpc/list.cc: kMaxPage, kPageBytes, kScan: what a List does
// - server/rpc/resets.h, backup.h, backup.cc: BrokenOff, Penalties, kMaxBackups, kMostRounds: what one client takes
// - server/options.cc: kMaxSeeds

}  // namespace leasemap::core

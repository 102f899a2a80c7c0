// The errors of the client: absl::Status with a canonical code, a message that says what to do, and a reason.
//
//   if (leasemap::ReasonOf(status) == leasemap::reason::kLeaseHeld) { … leasemap::HeldByOf(status)->holder … }
//
// A status without a reason is of the connection: kUnavailable, and a write that failed so may have been done.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace leasemap {

// The reasons that a program compares with. The server may give others (see the proto files); a program
// goes by the code of those: kInvalidArgument (correct the call), kResourceExhausted (a node has no room), kUnavailable
// (no node served in time), kUnimplemented (the server does not support it), kPermissionDenied (the caller may not do
// it), kUnauthenticated (the nodes do not know the caller).
namespace reason {
inline constexpr std::string_view kKeyNotFound = "KEY_NOT_FOUND";
// Another holder's lease on the key is live. HeldByOf has its holder and its end.
inline constexpr std::string_view kLeaseHeld = "LEASE_HELD";
// A Renew with only_if_held found no lease of this holder.
inline constexpr std::string_view kLeaseNotHeld = "LEASE_NOT_HELD";
// A lease of this program is gone; stop the work that it guards. The message says why. Made by this library.
inline constexpr std::string_view kLeaseLost = "LEASE_LOST";
// A lease of this program was given up. Made by this library.
inline constexpr std::string_view kLeaseReleased = "LEASE_RELEASED";
// The key changed meanwhile (if_version), or exists (if_absent).
inline constexpr std::string_view kVersionMismatch = "VERSION_MISMATCH";
// Another write replaced this one before it was acked. Facts: version, winner_version, winner_holder.
inline constexpr std::string_view kSuperseded = "SUPERSEDED";
// The write remains and spreads, but not all wanted nodes had it in time. Facts: version, acked, not_acked.
inline constexpr std::string_view kAckIncomplete = "ACK_INCOMPLETE";
// A watch cannot resume from its cursor; take a snapshot. A SyncMap does so by itself.
inline constexpr std::string_view kCursorExpired = "CURSOR_EXPIRED";
inline constexpr std::string_view kCursorInvalid = "CURSOR_INVALID";
// The client was closed, or what was asked for ended with it (code kCancelled). Made by this library.
inline constexpr std::string_view kClosed = "CLOSED";
// Too many calls of this client are under way (code kResourceExhausted). Made by this library.
inline constexpr std::string_view kCallLimit = "CALL_LIMIT";
}  // namespace reason

// Who holds the lease that is in the way.
struct HeldBy {
  // It may be this client's own name: another part of the program holds it, or another client of that name.
  std::string holder = {};
  // The end of the lease (UTC); absl::InfinitePast() if it is not known, as for an item of a batch. Other nodes wait
  // for the bound on clock skew after that; RetryAfterOf contains it.
  absl::Time expires = absl::InfinitePast();
};

// The reason of an error, as "LEASE_HELD"; empty for OK, and for an error of the connection.
std::string ReasonOf(const absl::Status& status);
// A further fact of an error, as "winner_holder"; empty if there is none.
std::string FactOf(const absl::Status& status, std::string_view name);
// Of LEASE_HELD; nothing for all else.
std::optional<HeldBy> HeldByOf(const absl::Status& status);
// The time after which a retry makes sense; 0 if the server gave none.
absl::Duration RetryAfterOf(const absl::Status& status);

}  // namespace leasemap

// Entries of the protos as programs see them, and which of two entries replaced the other. Pure.
#pragma once

#include <optional>
#include <string>

#include "google/protobuf/duration.pb.h"
#include "leasemap/entry.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::internal {

Entry FromProto(const v1::Entry& entry);
// Nothing for a kind that this library does not know.
std::optional<Kind> FromProto(v1::Event::Kind kind);
// KIND_UNSPECIFIED for a bookmark.
v1::Event::Kind ToProto(Kind kind);
// A duration as the API has it: milliseconds.
google::protobuf::Duration ToProto(absl::Duration duration);

// The value is UTF-8, and may go as text.
bool IsText(std::string_view value);

// Puts a value into an entry of a write's answer, which has none.
void PutValue(std::string value, bool binary, Entry& entry);

// `a` is surely replaced by `b`: the part of the order of merges that a client can see. The token is epoch and inverted
// start, and the larger one remains; then the smaller holder (bytewise); then the later value; then the later write.
bool Older(const Entry& a, const Entry& b);

// An event is surely of an earlier state of its key than another: its entry is older, or it is the lapse of the same
// one.
bool RanksBelow(Kind kind, const Entry& entry, Kind than_kind, const Entry& than);

bool SameLease(const Entry& a, const Entry& b);

// The winner replaced a lease that still ran when the winner's began: two sides of a partition granted one each (the
// server's rule, Conflict in mesh.proto).
bool IsConflict(const Entry& loser, const Entry& winner);

}  // namespace leasemap::internal

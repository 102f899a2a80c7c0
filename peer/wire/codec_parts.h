// The parts that several messages share, and the records on a disk: entries, vectors, members. For peer/wire and
// server/storage alone.
#pragma once

#include "absl/status/status.h"
#include "leasemap/peer/v1/peer.pb.h"
#include "peer/core/data/message.h"

namespace leasemap::wire {

namespace pb = leasemap::peer::v1;

void ToProto(const core::ReplicaId& id, pb::ReplicaId* out);
void ToProto(const core::VersionVector& vector, pb::Vector* out);
void ToProto(const core::Entry& entry, pb::Entry* out);
void ToProto(const core::MemberInfo& member, pb::MemberInfo* out);

// Each returns INVALID_ARGUMENT for what breaks a limit or an invariant of the core's type.
absl::Status FromProto(const pb::ReplicaId& in, core::ReplicaId* out);
// Sets the runs and marks that are named, whatever else `out` has.
absl::Status FromProto(const pb::Vector& in, core::VersionVector* out);
absl::Status FromProto(pb::Entry&& in, core::Entry* out);
absl::Status FromProto(const pb::MemberInfo& in, core::MemberInfo* out);

}  // namespace leasemap::wire

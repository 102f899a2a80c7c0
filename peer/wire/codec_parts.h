// The parts that several messages share: entries, vectors, reports. Private to peer/wire.
#pragma once

#include "absl/status/status.h"
#include "leasemap/peer/v1/peer.pb.h"
#include "peer/core/message.h"

namespace leasemap::wire {

namespace pb = leasemap::peer::v1;

void ToProto(const core::ReplicaId& id, pb::ReplicaId* out);
void ToProto(const core::VersionVector& vector, pb::Vector* out);
void ToProto(const core::Entry& entry, pb::Entry* out);
void ToProto(const core::Report& report, pb::Report* out);

// Each returns INVALID_ARGUMENT for what breaks a limit or an invariant of the core's type.
absl::Status FromProto(const pb::ReplicaId& in, core::ReplicaId* out);
absl::Status FromProto(const pb::Vector& in, core::VersionVector* out);
absl::Status FromProto(pb::Entry&& in, core::Entry* out);
absl::Status FromProto(const pb::Report& in, core::Report* out);

}  // namespace leasemap::wire

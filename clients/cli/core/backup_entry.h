// The Set that `leasemap restore --as-new-writes` makes of an entry of a backup.
#ifndef LEASEMAP_CLIENTS_CLI_CORE_BACKUP_ENTRY_H_
#define LEASEMAP_CLIENTS_CLI_CORE_BACKUP_ENTRY_H_

#include <optional>

#include "absl/time/time.h"
#include "leasemap/peer/v1/peer.pb.h"
#include "leasemap/v1/key_value.pb.h"

namespace leasemap::cli {

// With its holder, and a lease for what is left of it: none if it was released, has ended, or ends within two seconds
// (kShortestLease). nullopt: the key is deleted, or it is ephemeral and its lease has ended, or ends so soon.
std::optional<v1::SetRequest> SetOf(const peer::v1::Entry& entry, absl::Time now);

}  // namespace leasemap::cli

#endif  // LEASEMAP_CLIENTS_CLI_CORE_BACKUP_ENTRY_H_

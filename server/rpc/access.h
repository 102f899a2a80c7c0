// Who calls: the file of --auth-file, read again when it changes, and what a call shows of it.
//
// A call shows a token (`authorization: Bearer TOKEN`), or else a client certificate. Without the file nobody is asked.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/server_context.h"
#include "peer/threads/mutex.h"
#include "server/rights/rights.h"
#include "server/rpc/audit.h"
#include "server/rpc/caller.h"
#include "server/rpc/watched_files.h"

namespace leasemap::rpc {

class Access {
 public:
  // There are no rights.
  Access() : files_({}) {}
  // Reads the file; INVALID_ARGUMENT says what is wrong with it.
  static absl::StatusOr<std::unique_ptr<Access>> Open(const std::string& path, std::shared_ptr<spdlog::logger> audit);
  Access(const Access&) = delete;

  bool has_rights() const { return audit_ != nullptr; }
  // Only with rights.
  rights::RightsPtr rights() const;
  // Of the file's content (Rights::hash); 0: there are no rights.
  uint64_t hash() const { return has_rights() ? rights()->hash() : 0; }

  // Who makes the call, `name` as "Set"; UNAUTHENTICATED. Any thread. `node_id` must outlive the caller.
  absl::StatusOr<Caller> Identify(const grpc::CallbackServerContext& context, std::string_view name,
                                  const std::string& node_id) const;
  // The same caller by the file as it is now. Only of one with rights.
  absl::StatusOr<Caller> IdentifyAgain(const Caller& caller) const;

  // Reads the file again. After an error the rights that were read before count on. One caller at a time.
  absl::Status Reload();
  // Whether the file has changed since it was read last, with or without success. One caller at a time.
  bool Changed() const { return has_rights() && files_.Changed(); }

 private:
  explicit Access(std::string path, std::shared_ptr<spdlog::logger> audit)
      : path_(std::move(path)), files_({path_}), audit_(std::make_unique<Audit>(std::move(audit))) {}
  absl::Status Unauthenticated(std::string_view name, std::string_view peer, const std::string& what) const;

  const std::string path_;
  WatchedFiles files_;
  const std::unique_ptr<Audit> audit_;  // null: there are no rights
  mutable Mutex mutex_;
  rights::RightsPtr rights_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace leasemap::rpc

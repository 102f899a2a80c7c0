// Between the core's values and the records of the map's files (protos/leasemap/storage/v1/storage.proto).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "leasemap/storage/v1/storage.pb.h"
#include "peer/core/data/image.h"

namespace leasemap::storage {

void ToProto(const core::Image& image, v1::Image* out);
// INVALID_ARGUMENT for what breaks a limit or an invariant of the core's types.
absl::StatusOr<core::Image> FromProto(const v1::Image& in);

// The image, but for its entries and conflicts.
std::string EncodeImage(const core::Image& image);
// DATA_LOSS for bytes that EncodeImage did not make.
absl::StatusOr<core::Image> DecodeImage(std::string_view bytes);

std::string EncodeConflict(const core::Conflict& conflict);
absl::StatusOr<core::Conflict> DecodeConflict(std::string_view bytes);

// An entry, but for its key.
std::string EncodeEntry(const core::Entry& entry);
absl::StatusOr<core::EntryPtr> DecodeEntry(std::string_view key, std::string_view bytes);

}  // namespace leasemap::storage

#include "server/storage/codec.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "peer/core/data/error.h"
#include "peer/wire/codec_parts.h"

namespace leasemap::storage {
namespace {

namespace pb = leasemap::storage::v1;

absl::Status Bad(std::string_view what, const absl::Status& why) {
  return absl::DataLossError(absl::StrCat(std::string(what), " cannot be read: ", std::string(why.message())));
}

absl::Status NoMessage() { return absl::DataLossError("it is no message of its kind"); }

}  // namespace

void ToProto(const core::Image& image, pb::Image* out) {
  out->set_incarnation(image.incarnation);
  out->set_whole(image.whole);
  wire::ToProto(image.vector, out->mutable_vector());
  wire::ToProto(image.floor, out->mutable_floor());
  out->set_ceiling_ms(image.ceiling_ms);
  out->set_collected_epoch(image.collected_epoch);
  out->set_lapses_gone_ms(image.lapses_gone_ms);
  out->set_horizon_ms(image.horizon_ms);
  for (const core::MemberInfo& member : image.members) wire::ToProto(member, out->add_members());
}

absl::StatusOr<core::Image> FromProto(const pb::Image& in) {
  core::Image image;
  image.incarnation = in.incarnation();
  image.whole = in.whole();
  if (auto status = wire::FromProto(in.vector(), &image.vector); !status.ok()) return status;
  if (auto status = wire::FromProto(in.floor(), &image.floor); !status.ok()) return status;
  image.ceiling_ms = in.ceiling_ms();
  image.collected_epoch = in.collected_epoch();
  image.lapses_gone_ms = in.lapses_gone_ms();
  image.horizon_ms = in.horizon_ms();
  for (const auto& member : in.members()) {
    core::MemberInfo info;
    if (auto status = wire::FromProto(member, &info); !status.ok()) return status;
    image.members.push_back(std::move(info));
  }
  return image;
}

std::string EncodeImage(const core::Image& image) {
  pb::Image out;
  ToProto(image, &out);
  return out.SerializeAsString();
}

absl::StatusOr<core::Image> DecodeImage(std::string_view bytes) {
  constexpr char kWhat[] = "the record of what the map covers";
  pb::Image in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return Bad(kWhat, NoMessage());
  auto image = FromProto(in);
  return image.ok() ? image : Bad(kWhat, image.status());
}

std::string EncodeConflict(const core::Conflict& conflict) {
  pb::Conflict out;
  wire::ToProto(*conflict.loser, out.mutable_loser());
  wire::ToProto(*conflict.winner, out.mutable_winner());
  out.set_found_ms(conflict.found_ms);
  return out.SerializeAsString();
}

absl::StatusOr<core::Conflict> DecodeConflict(std::string_view bytes) {
  pb::Conflict in;
  const bool parsed = in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  absl::Status status = parsed ? absl::OkStatus() : NoMessage();
  auto loser = std::make_shared<core::Entry>(), winner = std::make_shared<core::Entry>();
  if (status.ok()) status = wire::FromProto(std::move(*in.mutable_loser()), loser.get());
  if (status.ok()) status = wire::FromProto(std::move(*in.mutable_winner()), winner.get());
  if (!status.ok()) return Bad("the record of a conflict", status);
  return core::Conflict{std::move(loser), std::move(winner), in.found_ms()};
}

std::string EncodeEntry(const core::Entry& entry) {
  peer::v1::Entry out;
  wire::ToProto(entry, &out);
  out.clear_key();
  return out.SerializeAsString();
}

absl::StatusOr<core::EntryPtr> DecodeEntry(std::string_view key, std::string_view bytes) {
  peer::v1::Entry in;
  absl::Status status = NoMessage();
  if (in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    in.set_key(key.data(), key.size());
    auto entry = std::make_shared<core::Entry>();
    status = wire::FromProto(std::move(in), entry.get());
    if (status.ok()) return entry;
  }
  return Bad(absl::StrCat("the entry of key ", core::Shown(std::string(key))), status);
}

}  // namespace leasemap::storage

#include "peer/wire/codec.h"

#include "google/protobuf/arena.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/wire/codec_parts.h"
#include "peer/wire/frame.h"

namespace leasemap::wire {
namespace {

using core::Message;

// Where the parts of one protobuf message live: on the stack as long as they are small.
class Arena {
 public:
  template <typename T>
  T* Make() {
    return google::protobuf::Arena::CreateMessage<T>(&arena_);
  }

 private:
  static google::protobuf::ArenaOptions Options(char* block, size_t bytes) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block;
    options.initial_block_size = bytes;
    return options;
  }

  alignas(8) char block_[8192];  // a change of a report, or a few entries
  google::protobuf::Arena arena_{Options(block_, sizeof(block_))};
};

struct ToEnvelope {
  pb::Envelope* out;
  LastReport* last;

  void operator()(const core::Hello& m) {
    auto* hello = out->mutable_hello();
    hello->set_protocol_min(m.protocol_min);
    hello->set_protocol_max(m.protocol_max);
    hello->set_cluster(m.cluster);
    hello->set_leasing(m.leasing);
    hello->set_period_ms(m.period_ms);
    ToProto(m.self, hello->mutable_self());
    hello->set_wall_ms(m.wall_ms);
    hello->set_advertise(m.advertise);
    if (m.has_map) hello->set_has_map(*m.has_map);
  }
  void operator()(const core::Accept& m) {
    out->mutable_accept()->set_wall_ms(m.wall_ms);
    last->ToProto(m.report, out->mutable_accept()->mutable_report());
  }
  void operator()(const core::Refuse& m) {
    out->mutable_refuse()->set_reason(m.reason);
    out->mutable_refuse()->set_message(m.message);
    out->mutable_refuse()->set_has_map(m.has_map);
  }
  void operator()(const core::Ping& m) { out->mutable_ping()->set_token(m.token); }
  void operator()(const core::Pong& m) {
    out->mutable_pong()->set_token(m.token);
    out->mutable_pong()->set_wall_ms(m.wall_ms);
  }
  void operator()(const core::Report& m) { last->ToProto(m, out->mutable_report()); }
  void operator()(const core::Live& m) {
    for (const auto& entry : m.entries) ToProto(*entry, out->mutable_live()->add_entries());
    out->mutable_live()->set_report_now(m.report_now);
  }
  void operator()(const core::SessionRequest& m) {
    out->mutable_session_request()->set_session(m.session);
    ToProto(*m.vector, out->mutable_session_request()->mutable_vector());
    for (const uint64_t bucket : m.buckets) out->mutable_session_request()->add_buckets(bucket);
  }
  void operator()(const core::SessionEntries& m) {
    out->mutable_session_entries()->set_session(m.session);
    for (const auto& entry : m.entries) ToProto(*entry, out->mutable_session_entries()->add_entries());
  }
  void operator()(const core::SessionEnd& m) {
    out->mutable_session_end()->set_session(m.session);
    ToProto(*m.vector, out->mutable_session_end()->mutable_vector());
    ToProto(*m.floor, out->mutable_session_end()->mutable_floor());
  }
  void operator()(const core::Broadcast& m) { out->mutable_broadcast()->set_payload(m.payload); }
  void operator()(const core::Query& m) {
    out->mutable_query()->set_token(m.token);
    out->mutable_query()->set_key(m.key);
  }
  void operator()(const core::QueryReply& m) {
    out->mutable_query_reply()->set_token(m.token);
    if (m.entry) ToProto(*m.entry, out->mutable_query_reply()->mutable_entry());
    ToProto(*m.vector, out->mutable_query_reply()->mutable_vector());
  }
};

absl::Status Bad(const char* what) { return absl::InvalidArgumentError(what); }

absl::StatusOr<std::optional<Message>> FromHello(pb::Hello& in) {
  core::Hello m;
  m.protocol_min = in.protocol_min();
  m.protocol_max = in.protocol_max();
  if (in.cluster().size() > core::kMaxNameBytes || in.advertise().size() > 300) return Bad("a bad Hello");
  m.cluster = std::move(*in.mutable_cluster());
  m.leasing = in.leasing();
  m.period_ms = in.period_ms();
  if (auto status = FromProto(in.self(), &m.self); !status.ok()) return status;
  m.wall_ms = in.wall_ms();
  m.advertise = std::move(*in.mutable_advertise());
  if (in.has_has_map()) m.has_map = in.has_map();
  return m;
}

// Clocks are compared by subtraction, which must not overflow.
bool GoodWall(int64_t ms) { return ms > -(int64_t{1} << 53) && ms < (int64_t{1} << 53); }

template <typename Repeated>
absl::Status FromEntries(Repeated* in, std::vector<core::EntryPtr>* out) {
  out->reserve(in->size());
  for (auto& entry : *in) {
    auto one = std::make_shared<core::Entry>();
    if (auto status = FromProto(std::move(entry), one.get()); !status.ok()) return status;
    out->push_back(std::move(one));
  }
  return absl::OkStatus();
}

absl::Status FromVector(const pb::Vector& in, core::VectorPtr* out) {
  core::VersionVector vector;
  auto status = FromProto(in, &vector);
  *out = std::make_shared<const core::VersionVector>(std::move(vector));
  return status;
}

absl::StatusOr<std::optional<Message>> FromQueryReply(pb::QueryReply& in) {
  core::QueryReply m;
  m.token = in.token();
  if (in.has_entry()) {
    auto entry = std::make_shared<core::Entry>();
    if (auto status = FromProto(std::move(*in.mutable_entry()), entry.get()); !status.ok()) return status;
    m.entry = std::move(entry);
  }
  if (auto status = FromVector(in.vector(), &m.vector); !status.ok()) return status;
  return m;
}

absl::StatusOr<std::optional<Message>> FromSessionRequest(const pb::SessionRequest& in) {
  core::SessionRequest m{in.session(), nullptr, {}};
  const auto& buckets = in.buckets();
  if (!buckets.empty() && buckets.size() != static_cast<int>(core::kHashBuckets)) {
    return Bad("a bad number of buckets");
  }
  m.buckets.assign(buckets.begin(), buckets.end());
  if (auto status = FromVector(in.vector(), &m.vector); !status.ok()) return status;
  return m;
}

absl::StatusOr<std::optional<Message>> FromEnvelope(pb::Envelope& in, LastReport& last) {
  absl::Status status;
  std::optional<Message> out;
  switch (in.kind_case()) {
    case pb::Envelope::kHello:
      if (!GoodWall(in.hello().wall_ms())) return Bad("a bad clock");
      return FromHello(*in.mutable_hello());
    case pb::Envelope::kAccept: {
      core::Accept m{in.accept().wall_ms(), {}};
      if (!GoodWall(m.wall_ms)) return Bad("a bad clock");
      status = last.FromProto(in.accept().report(), &m.report);
      out = std::move(m);
      break;
    }
    case pb::Envelope::kRefuse:
      if (in.refuse().reason().size() > 64 || in.refuse().message().size() > 4096) return Bad("a long refusal");
      return core::Refuse{in.refuse().reason(), in.refuse().message(),
                          !in.refuse().has_has_map() || in.refuse().has_map()};
    case pb::Envelope::kPing:
      return core::Ping{in.ping().token()};
    case pb::Envelope::kPong:
      if (!GoodWall(in.pong().wall_ms()) || !GoodWall(static_cast<int64_t>(in.pong().token())))
        return Bad("a bad clock");
      return core::Pong{in.pong().token(), in.pong().wall_ms()};
    case pb::Envelope::kReport: {
      core::Report m;
      status = last.FromProto(in.report(), &m);
      out = std::move(m);
      break;
    }
    case pb::Envelope::kLive: {
      core::Live m;
      m.report_now = in.live().report_now();
      status = FromEntries(in.mutable_live()->mutable_entries(), &m.entries);
      out = std::move(m);
      break;
    }
    case pb::Envelope::kSessionRequest:
      return FromSessionRequest(in.session_request());
    case pb::Envelope::kSessionEntries: {
      core::SessionEntries m{in.session_entries().session(), {}};
      status = FromEntries(in.mutable_session_entries()->mutable_entries(), &m.entries);
      out = std::move(m);
      break;
    }
    case pb::Envelope::kSessionEnd: {
      core::SessionEnd m{in.session_end().session(), nullptr, nullptr};
      status = FromVector(in.session_end().vector(), &m.vector);
      if (status.ok()) status = FromVector(in.session_end().floor(), &m.floor);
      out = std::move(m);
      break;
    }
    case pb::Envelope::kBroadcast:
      if (in.broadcast().payload().size() > core::kMaxBroadcastBytes) return Bad("a long broadcast");
      return core::Broadcast{std::move(*in.mutable_broadcast()->mutable_payload())};
    case pb::Envelope::kQuery:
      if (!core::CheckKey(in.query().key()).ok()) return Bad("a bad key");
      return core::Query{in.query().token(), std::move(*in.mutable_query()->mutable_key())};
    case pb::Envelope::kQueryReply:
      return FromQueryReply(*in.mutable_query_reply());
    case pb::Envelope::kPart:
      return Bad("a part within a part");
    case pb::Envelope::KIND_NOT_SET:
      return std::nullopt;  // of a later protocol version
  }
  if (!status.ok()) return status;
  return out;
}

}  // namespace

// The messages in between live in an arena: one allocation, as a rule none, in place of one for each of their parts.
std::vector<std::string> Encoder::Encode(const Message& message) {
  Arena arena;
  auto* envelope = arena.Make<pb::Envelope>();
  std::visit(ToEnvelope{envelope, &last_}, message);
  std::vector<std::string> frames;
  if (const size_t bytes = envelope->ByteSizeLong(); bytes <= kPieceBytes) {
    AppendFrame(frames.emplace_back(), envelope->SerializeAsString());
    return frames;
  }
  const std::string body = envelope->SerializeAsString();
  for (size_t at = 0; at < body.size(); at += kPieceBytes) {
    pb::Envelope part;
    part.mutable_part()->set_piece(body.substr(at, kPieceBytes));
    part.mutable_part()->set_last(at + kPieceBytes >= body.size());
    AppendFrame(frames.emplace_back(), part.SerializeAsString());
  }
  return frames;
}

absl::StatusOr<std::optional<Message>> Decoder::Decode(std::string_view frame) {
  Arena arena;
  auto* envelope = arena.Make<pb::Envelope>();
  if (!envelope->ParseFromArray(frame.data(), static_cast<int>(frame.size()))) return Bad("not an Envelope");
  if (envelope->kind_case() != pb::Envelope::kPart) return FromEnvelope(*envelope, last_);
  if (pieces_.size() + envelope->part().piece().size() > kMaxEnvelopeBytes) return Bad("an Envelope that is too large");
  pieces_ += envelope->part().piece();
  if (!envelope->part().last()) return std::nullopt;
  auto* whole = arena.Make<pb::Envelope>();
  const bool parsed = whole->ParseFromString(pieces_);
  pieces_.clear();
  pieces_.shrink_to_fit();
  if (!parsed) return Bad("pieces that are not an Envelope");
  return FromEnvelope(*whole, last_);
}

}  // namespace leasemap::wire

#include "server/rights/rights.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "leasemap/auth/v1/auth.pb.h"
#include "peer/core/data/bytes.h"
#include "peer/core/data/error.h"
#include "peer/core/data/limits.h"
#include "peer/tls/token.h"

namespace leasemap::rights {
namespace {

constexpr int kMaxPrincipals = 10'000;
constexpr size_t kMaxNameBytes = 128;  // a holder of 255 bytes has room for another 126 behind a slash
constexpr size_t kHashDigits = 64;

// Keeps the first error of the parser.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (text_.empty()) text_ = absl::StrCat("line ", line + 1, ", column ", column + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

absl::Status Wrong(const auth::v1::Principal& principal, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("principal ", core::Shown(principal.name()), ": ", what));
}

bool IsHash(std::string_view text) {
  return text.size() == kHashDigits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

absl::Status CheckName(const auth::v1::Principal& principal) {
  const std::string& name = principal.name();
  if (name.empty()) return absl::InvalidArgumentError("a principal has no name");
  if (name.size() > kMaxNameBytes || !core::CheckName("name", name).ok()) {
    return Wrong(principal, absl::StrCat("its name is not 1 to ", kMaxNameBytes, " bytes of printable UTF-8"));
  }
  if (name.find('/') != std::string::npos || name == "*") {
    return Wrong(principal, "a name has no \"/\", and is not \"*\"");
  }
  return absl::OkStatus();
}

absl::Status Take(const auth::v1::Principal& from, const auth::v1::Grant& grant, Principal* out) {
  if (grant.right().empty()) return Wrong(from, "a grant has no right; write for example right: [READ, WRITE]");
  if (grant.prefix_form_case() == auth::v1::Grant::PREFIX_FORM_NOT_SET) {
    return Wrong(from, "a grant has no prefix; prefix: \"\" is every key");
  }
  const std::string& prefix =
      grant.prefix_form_case() == auth::v1::Grant::kPrefixBytes ? grant.prefix_bytes() : grant.prefix();
  if (prefix.size() > core::kMaxKeyBytes) return Wrong(from, "a prefix is longer than any key");
  for (const int right : grant.right()) {
    switch (right) {
      case auth::v1::READ:
        out->read.push_back(prefix);
        break;
      case auth::v1::WRITE:
        out->write.push_back(prefix);
        break;
      case auth::v1::ADMIN:
        if (!prefix.empty()) return Wrong(from, "ADMIN is of the whole map: give it a grant with prefix: \"\"");
        out->admin = true;
        break;
      default:
        return Wrong(from, "a right is none of READ, WRITE and ADMIN");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<PrincipalPtr> FromProto(const auth::v1::Principal& in) {
  if (auto status = CheckName(in); !status.ok()) return status;
  auto out = std::make_shared<Principal>();
  out->name = in.name();
  for (const auto& grant : in.grant()) {
    if (auto status = Take(in, grant, out.get()); !status.ok()) return status;
  }
  for (const auto& holder : in.lease_as()) {
    if (!core::CheckName("lease_as", holder).ok()) {
      return Wrong(in, "lease_as is not 1 to 255 bytes of printable UTF-8");
    }
    out->lease_as.push_back(holder);
  }
  out->keys = in.limits().keys();
  out->bytes = in.limits().bytes();
  out->watches = in.limits().watches();
  out->connections = in.limits().connections();
  return out;
}

std::string Deterministic(const auth::v1::AuthFile& file) {
  std::string out;
  {
    google::protobuf::io::StringOutputStream raw(&out);
    google::protobuf::io::CodedOutputStream coded(&raw);
    coded.SetSerializationDeterministic(true);
    file.SerializeToCodedStream(&coded);
  }
  return out;
}

}  // namespace

absl::StatusOr<RightsPtr> Rights::Parse(const std::string& text) {
  auth::v1::AuthFile file;
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text, &file)) return absl::InvalidArgumentError(error.text());
  if (file.principal_size() > kMaxPrincipals) {
    return absl::InvalidArgumentError(absl::StrCat("has more than ", kMaxPrincipals, " principals"));
  }
  if (file.principal().empty()) return absl::InvalidArgumentError("names no principal, so nobody could do anything");
  auto out = std::make_shared<Rights>();
  out->hash_ = std::max<uint64_t>(1, core::Hash64(Deterministic(file)));
  for (const auto& in : file.principal()) {
    auto principal = FromProto(in);
    if (!principal.ok()) return principal.status();
    if (!out->principals_.emplace(in.name(), *principal).second) return Wrong(in, "is there twice");
    for (const auto& hash : in.token_sha256()) {
      if (!IsHash(hash)) {
        return Wrong(in, "token_sha256 is not 64 lower-case hex digits; `leasemap token new` prints them");
      }
      if (!out->by_token_.emplace(hash, *principal).second) return Wrong(in, "a token is there twice");
    }
    for (const auto& name : in.certificate()) {
      if (!core::CheckName("certificate", name).ok()) return Wrong(in, "certificate is not a client's name");
      if (!out->by_certificate_.emplace(name, *principal).second) {
        return Wrong(in, absl::StrCat("certificate ", core::Shown(name), " is there twice"));
      }
    }
  }
  return out;
}

PrincipalPtr Rights::OfToken(std::string_view token) const { return OfTokenHash(tls::HashOfToken(token)); }

PrincipalPtr Rights::OfTokenHash(const std::string& hash) const {
  const auto found = by_token_.find(hash);
  return found == by_token_.end() ? nullptr : found->second;
}

PrincipalPtr Rights::OfCertificate(const std::string& name) const {
  const auto found = by_certificate_.find(name);
  return found == by_certificate_.end() ? nullptr : found->second;
}

}  // namespace leasemap::rights

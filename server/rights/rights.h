// Who may do what: the principals of the file of --auth-file, found by what a call shows.
//
//   auto rights = Rights::Parse(text);
//   if (const PrincipalPtr caller = (*rights)->OfToken(token)) … caller->MayRead(key) …
//
// Nothing of it changes: a file that is read again makes another one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/rights/principal.h"

namespace leasemap::rights {

class Rights {
 public:
  // INVALID_ARGUMENT says where and what: a line that is no protobuf text, a principal that is there twice, a token or
  // a certificate of two principals, a grant without a right or a prefix.
  static absl::StatusOr<std::shared_ptr<const Rights>> Parse(const std::string& text);

  // Null: nobody has it. The time that it takes says nothing of tokens, since only their hashes are compared.
  PrincipalPtr OfToken(std::string_view token) const;
  PrincipalPtr OfTokenHash(const std::string& hash) const;
  // `name`: of a client certificate that was found valid.
  PrincipalPtr OfCertificate(const std::string& name) const;

  size_t size() const { return principals_.size(); }
  const std::map<std::string, PrincipalPtr>& principals() const { return principals_; }  // by name
  // Of the content, without comments and blanks: nodes compare it (Report::rights_hash). Never 0.
  uint64_t hash() const { return hash_; }

 private:
  std::map<std::string, PrincipalPtr> principals_, by_token_, by_certificate_;
  uint64_t hash_ = 0;
};
using RightsPtr = std::shared_ptr<const Rights>;

}  // namespace leasemap::rights

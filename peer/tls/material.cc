#include "peer/tls/material.h"

#include <openssl/err.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "peer/tls/pointers.h"

namespace leasemap::tls {
namespace {

using StorePtr = std::unique_ptr<X509_STORE, FreeBy<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, FreeBy<X509_STORE_CTX_free>>;

constexpr size_t kMaxFileBytes = 1 << 20;  // far more than any chain has; a wrong path may name anything

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxFileBytes + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.eof()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " cannot be read (",
                                                   file ? "it is larger than 1 MiB" : std::strerror(errno),
                                                   "); name a PEM file that this user may read"));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

absl::Time ExpiryOf(X509* certificate) {
  tm last{};
  ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &last);
  return absl::FromTM(last, absl::UTCTimeZone());
}

// Empty if one of the authorities signed it, or why it is not good.
std::string WhyNotSigned(const std::vector<CertificatePtr>& chain, const std::vector<CertificatePtr>& authorities,
                         absl::Time now) {
  const StorePtr store(X509_STORE_new());
  for (const CertificatePtr& authority : authorities) X509_STORE_add_cert(store.get(), authority.get());
  STACK_OF(X509)* between = sk_X509_new_null();
  for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(between, chain[i].get());
  const StoreContextPtr context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), chain[0].get(), between);
  X509_STORE_CTX_set_time(context.get(), 0, absl::ToTimeT(now));
  const bool good = X509_verify_cert(context.get()) == 1;
  const int error = X509_STORE_CTX_get_error(context.get());
  sk_X509_free(between);
  ERR_clear_error();
  return good ? "" : X509_verify_cert_error_string(error);
}

}  // namespace

std::vector<CertificatePtr> ReadCertificates(const std::string& pem) {
  std::vector<CertificatePtr> out;
  const BioPtr in = ReadFrom(pem);
  while (X509* next = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) out.emplace_back(next);
  ERR_clear_error();  // the end of the file is an error, too
  return out;
}

std::optional<Identity> IdentityOf(X509* certificate) {
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::optional<Identity> found;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const auto* value =
        static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type));
    if (type != GEN_URI) continue;
    const std::string_view uri(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                               static_cast<size_t>(ASN1_STRING_length(value)));
    if (!uri.starts_with("leasemap://")) continue;
    auto identity = ParseUri(uri);
    if (!identity || found) return std::nullopt;
    found = std::move(identity);
  }
  return found;
}

absl::StatusOr<Material> ReadMaterial(const Paths& paths, absl::Time now) {
  auto certificates = ReadFile(paths.certificate);
  if (!certificates.ok()) return certificates.status();
  auto key_text = ReadFile(paths.key);
  if (!key_text.ok()) return key_text.status();
  auto authorities_text = ReadFile(paths.authorities);
  if (!authorities_text.ok()) return authorities_text.status();

  const auto wrong = [](const std::string& path, const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(path, " ", what));
  };
  const auto chain = ReadCertificates(*certificates), authorities = ReadCertificates(*authorities_text);
  const KeyPtr key(PEM_read_bio_PrivateKey(ReadFrom(*key_text).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (chain.empty()) return wrong(paths.certificate, "has no certificate in PEM form (leasemap tls makes one)");
  if (authorities.empty()) return wrong(paths.authorities, "has no certificate in PEM form; name the authority's");
  if (key == nullptr) return wrong(paths.key, "has no private key in PEM form, or one with a password");
  X509* own = chain[0].get();
  if (X509_check_private_key(own, key.get()) != 1) {
    ERR_clear_error();
    return wrong(paths.key, absl::StrCat("is not the key of the certificate in ", paths.certificate,
                                         "; name the two files that were made together"));
  }
  const absl::Time expires = ExpiryOf(own);
  if (expires < now) {
    return wrong(paths.certificate,
                 absl::StrCat("expired at ", absl::FormatTime(expires, absl::UTCTimeZone()), "; make a new one"));
  }
  if (const std::string why = WhyNotSigned(chain, authorities, now); !why.empty()) {
    return wrong(paths.certificate, absl::StrCat("is not good by the authorities in ", paths.authorities, ": ", why));
  }
  auto identity = IdentityOf(own);
  if (!identity) {
    return wrong(paths.certificate,
                 "names no node and no client: among its alternative names there must be one URI "
                 "leasemap://node/ID (leasemap tls makes such)");
  }
  return Material{*std::move(certificates), *std::move(key_text), *std::move(authorities_text), *std::move(identity),
                  expires};
}

}  // namespace leasemap::tls

#include "peer/tls/issue.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "peer/tls/pointers.h"

namespace leasemap::tls {
namespace {

constexpr absl::Duration kBefore = absl::Minutes(5);
constexpr int kSerialBits = 127;       // at most 20 bytes and not guessable: RFC 5280, section 4.1.2.2
constexpr size_t kMaxCommonName = 64;  // RFC 5280, appendix A.1: ub-common-name

absl::Status Failed(const char* what) {
  const unsigned long code = ERR_get_error();
  const char* reason = ERR_reason_error_string(code);
  return absl::InternalError(absl::StrCat("OpenSSL cannot ", what, ": ", reason ? reason : "no reason given"));
}

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

absl::StatusOr<Issued> ToPem(X509* certificate, EVP_PKEY* key) {
  const BioPtr cert_out(BIO_new(BIO_s_mem())), key_out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(cert_out.get(), certificate) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return Failed("write a certificate");
  }
  return Issued{TextOf(cert_out.get()), TextOf(key_out.get())};
}

bool SetTime(ASN1_TIME* field, absl::Time time) { return ASN1_TIME_set(field, absl::ToTimeT(time)) != nullptr; }

// A certificate of a new key, with everything but who signs it and what it is for.
absl::StatusOr<CertificatePtr> Begin(const std::string& name, EVP_PKEY* key, absl::Time from, absl::Time until) {
  CertificatePtr certificate(X509_new());
  X509* raw = certificate.get();
  const std::unique_ptr<BIGNUM, FreeBy<BN_free>> serial(BN_new());
  const std::string common = name.substr(0, kMaxCommonName);
  const bool done = X509_set_version(raw, X509_VERSION_3) == 1 &&
                    BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, 0) == 1 &&
                    BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(raw)) != nullptr &&
                    X509_NAME_add_entry_by_NID(X509_get_subject_name(raw), NID_organizationName, MBSTRING_UTF8,
                                               reinterpret_cast<const unsigned char*>("Leasemap"), -1, -1, 0) == 1 &&
                    X509_NAME_add_entry_by_NID(X509_get_subject_name(raw), NID_commonName, MBSTRING_UTF8,
                                               reinterpret_cast<const unsigned char*>(common.data()),
                                               static_cast<int>(common.size()), -1, 0) == 1 &&
                    SetTime(X509_getm_notBefore(raw), from) && SetTime(X509_getm_notAfter(raw), until) &&
                    X509_set_pubkey(raw, key) == 1;
  if (!done) return Failed("make a certificate");
  return certificate;
}

// One that OpenSSL reads from a text of ours; nothing that anybody gives goes into that.
bool AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool AddName(GENERAL_NAMES* names, int type, ASN1_STRING* value) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(name, type, value);
  return sk_GENERAL_NAME_push(names, name) > 0;
}

ASN1_STRING* Ia5(const std::string& text) {
  ASN1_STRING* string = ASN1_IA5STRING_new();
  ASN1_STRING_set(string, text.data(), static_cast<int>(text.size()));
  return string;
}

bool IsDnsName(const std::string& host) {
  if (host.empty() || host.size() > 253) return false;
  bool first = true;
  for (const std::string& label : std::vector<std::string>(absl::StrSplit(host, '.'))) {
    const bool wildcard = std::exchange(first, false) && label == "*" && host.size() > 2;
    const auto good = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; };
    if (label.empty() || label.size() > 63 || !(wildcard || std::all_of(label.begin(), label.end(), good))) {
      return false;
    }
  }
  return true;
}

absl::Status AddNames(X509* certificate, const Subject& subject) {
  const NamesPtr names(GENERAL_NAMES_new());
  bool done = AddName(names.get(), GEN_URI, Ia5(UriOf(subject.identity)));
  for (const std::string& host : subject.hosts) {
    if (ASN1_OCTET_STRING* address = a2i_IPADDRESS(host.c_str()); address != nullptr) {
      done = AddName(names.get(), GEN_IPADD, address) && done;
    } else if (IsDnsName(host)) {
      done = AddName(names.get(), GEN_DNS, Ia5(host)) && done;
    } else {
      return absl::InvalidArgumentError(absl::StrCat("\"", host, "\" is neither a DNS name nor an IP address"));
    }
  }
  if (!done || X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) != 1) {
    return Failed("name a certificate");
  }
  return absl::OkStatus();
}

KeyPtr NewKey() { return KeyPtr(EVP_EC_gen("P-256")); }

bool Sign(X509* certificate, EVP_PKEY* key) { return X509_sign(certificate, key, EVP_sha256()) > 0; }

}  // namespace

bool IsHost(const std::string& host) {
  const std::unique_ptr<ASN1_OCTET_STRING, FreeBy<ASN1_OCTET_STRING_free>> address(a2i_IPADDRESS(host.c_str()));
  ERR_clear_error();
  return address != nullptr || IsDnsName(host);
}

absl::StatusOr<Issued> MakeAuthority(const std::string& name, absl::Time now, absl::Duration valid) {
  const KeyPtr key = NewKey();
  if (key == nullptr) return Failed("make a key");
  auto made = Begin(name, key.get(), now - kBefore, now + valid);
  if (!made.ok()) return made.status();
  X509* raw = made->get();
  const bool done = X509_set_issuer_name(raw, X509_get_subject_name(raw)) == 1 &&
                    AddExtension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    AddExtension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    AddExtension(raw, raw, NID_subject_key_identifier, "hash") && Sign(raw, key.get());
  return done ? ToPem(raw, key.get()) : Failed("make an authority");
}

absl::StatusOr<Issued> Issue(const Issued& authority, const Subject& subject, absl::Time now, absl::Duration valid) {
  const CertificatePtr issuer(PEM_read_bio_X509(ReadFrom(authority.certificate).get(), nullptr, nullptr, nullptr));
  const KeyPtr issuer_key(PEM_read_bio_PrivateKey(ReadFrom(authority.key).get(), nullptr, nullptr, nullptr));
  if (issuer == nullptr || issuer_key == nullptr || X509_check_private_key(issuer.get(), issuer_key.get()) != 1 ||
      X509_check_ca(issuer.get()) == 0) {
    ERR_clear_error();
    return absl::InvalidArgumentError("the authority's certificate and key cannot be read, or do not fit together");
  }
  const KeyPtr key = NewKey();
  if (key == nullptr) return Failed("make a key");
  // None outlives the authority.
  tm last{};
  ASN1_TIME_to_tm(X509_get0_notAfter(issuer.get()), &last);
  const absl::Time until = std::min(now + valid, absl::FromTM(last, absl::UTCTimeZone()));
  auto made = Begin(subject.identity.name, key.get(), now - kBefore, until);
  if (!made.ok()) return made.status();
  X509* raw = made->get();
  const char* uses = subject.identity.kind == Identity::Kind::kNode ? "serverAuth,clientAuth" : "clientAuth";
  if (auto status = AddNames(raw, subject); !status.ok()) return status;
  const bool done = X509_set_issuer_name(raw, X509_get_subject_name(issuer.get())) == 1 &&
                    AddExtension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
                    AddExtension(raw, issuer.get(), NID_key_usage, "critical,digitalSignature") &&
                    AddExtension(raw, issuer.get(), NID_ext_key_usage, uses) &&
                    AddExtension(raw, issuer.get(), NID_subject_key_identifier, "hash") &&
                    AddExtension(raw, issuer.get(), NID_authority_key_identifier, "keyid:always") &&
                    Sign(raw, issuer_key.get());
  return done ? ToPem(raw, key.get()) : Failed("make a certificate");
}

}  // namespace leasemap::tls

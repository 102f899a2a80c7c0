// What is issued: whom it names, where it is good, how long, and who signed it.
#include "peer/tls/issue.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peer/tls/material.h"
#include "peer/tls/pointers.h"
#include "tests/matchers/status.h"

namespace leasemap::tls {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

CertificatePtr Read(const Issued& issued) {
  return CertificatePtr(PEM_read_bio_X509(ReadFrom(issued.certificate).get(), nullptr, nullptr, nullptr));
}

class IssueTest : public ::testing::Test {
 protected:
  Issued Make(const Subject& subject, absl::Duration valid = absl::Hours(24)) {
    auto issued = Issue(authority_, subject, kNow, valid);
    EXPECT_THAT(issued, IsOk());
    return *std::move(issued);
  }
  Issued authority_ = *MakeAuthority("test", kNow, absl::Hours(48));
};

TEST_F(IssueTest, ANodeIsNamedByItsIdAndFoundAtItsHosts) {
  const Issued issued = Make({{Identity::Kind::kNode, "n 1"}, {"n1", "*.example.com", "10.0.0.1", "::1"}});
  const CertificatePtr certificate = Read(issued);
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(IdentityOf(certificate.get()), (Identity{Identity::Kind::kNode, "n 1"}));
  X509* raw = certificate.get();
  EXPECT_EQ(X509_check_host(raw, "n1", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(raw, "a.example.com", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(raw, "n2", 0, 0, nullptr), 0);
  EXPECT_EQ(X509_check_ip_asc(raw, "10.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(raw, "::1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(raw, "10.0.0.2", 0), 0);
  EXPECT_EQ(X509_check_purpose(raw, X509_PURPOSE_SSL_SERVER, 0), 1);
  EXPECT_EQ(X509_check_purpose(raw, X509_PURPOSE_SSL_CLIENT, 0), 1);
  EXPECT_EQ(X509_check_ca(raw), 0);
  EXPECT_EQ(EVP_PKEY_get_bits(X509_get0_pubkey(raw)), 256);
}

TEST_F(IssueTest, AClientIsNoServer) {
  const CertificatePtr certificate = Read(Make({{Identity::Kind::kClient, "alice"}, {}}));
  EXPECT_EQ(IdentityOf(certificate.get()), (Identity{Identity::Kind::kClient, "alice"}));
  EXPECT_EQ(X509_check_purpose(certificate.get(), X509_PURPOSE_SSL_SERVER, 0), 0);
  EXPECT_EQ(X509_check_purpose(certificate.get(), X509_PURPOSE_SSL_CLIENT, 0), 1);
}

TEST_F(IssueTest, NoneOutlivesItsAuthority) {
  const CertificatePtr certificate = Read(Make({{Identity::Kind::kNode, "n"}, {}}, absl::Hours(1000)));
  EXPECT_EQ(ASN1_TIME_compare(X509_get0_notAfter(certificate.get()), X509_get0_notAfter(Read(authority_).get())), 0);
}

TEST_F(IssueTest, SerialNumbersDiffer) {
  const CertificatePtr a = Read(Make({{Identity::Kind::kNode, "n"}, {}})),
                       b = Read(Make({{Identity::Kind::kNode, "n"}, {}}));
  EXPECT_NE(ASN1_INTEGER_cmp(X509_get0_serialNumber(a.get()), X509_get0_serialNumber(b.get())), 0);
}

TEST_F(IssueTest, WhatIsNoHostIsRefused) {
  for (const char* host : {"", "a b", "a..b", ".", "*", "a.*.b", "a,DNS:b", "10.0.0.1/8", "x\ny"}) {
    EXPECT_FALSE(IsHost(host)) << host;
    EXPECT_TRUE(absl::IsInvalidArgument(
        Issue(authority_, {{Identity::Kind::kNode, "n"}, {host}}, kNow, absl::Hours(1)).status()))
        << host;
  }
  for (const char* host : {"a", "a-b.c_d", "*.a", "1.2.3.4", "fe80::1"}) EXPECT_TRUE(IsHost(host)) << host;
}

TEST_F(IssueTest, OnlyAnAuthorityIssues) {
  const Subject subject{{Identity::Kind::kNode, "n"}, {}};
  const Issued other = *MakeAuthority("other", kNow, absl::Hours(48));
  for (const Issued& bad : {Make(subject), Issued{authority_.certificate, other.key}, Issued{"", ""}}) {
    const auto issued = Issue(bad, subject, kNow, absl::Hours(1));
    EXPECT_TRUE(absl::IsInvalidArgument(issued.status()));
    EXPECT_THAT(std::string(issued.status().message()), HasSubstr("authority"));
  }
}

}  // namespace
}  // namespace leasemap::tls

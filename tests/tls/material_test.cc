// Files of certificates: the good ones are read, and of each bad one it is said which file it is and what is wrong.
#include "peer/tls/material.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peer/tls/issue.h"
#include "tests/matchers/status.h"
#include "tests/support/temp_folder.h"

namespace leasemap::tls {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
const Identity kNode{Identity::Kind::kNode, "n1"};

class MaterialTest : public ::testing::Test {
 protected:
  MaterialTest() {
    Write("cert", issued_.certificate);
    Write("key", issued_.key);
    Write("ca", authority_.certificate);
  }
  void Write(const std::string& name, const std::string& text) { std::ofstream(folder_.At(name)) << text; }
  absl::StatusOr<Material> Read(absl::Time now = kNow) const {
    return ReadMaterial({folder_.At("cert"), folder_.At("key"), folder_.At("ca")}, now);
  }
  void ExpectWrong(const std::string& file, const std::string& what, absl::Time now = kNow) const {
    const auto material = Read(now);
    EXPECT_TRUE(absl::IsInvalidArgument(material.status()));
    EXPECT_THAT(std::string(material.status().message()), testing::AllOf(HasSubstr(folder_.At(file)), HasSubstr(what)));
  }

  TempFolder folder_;
  Issued authority_ = *MakeAuthority("test", kNow, absl::Hours(48));
  Issued issued_ = *Issue(authority_, {kNode, {"n1"}}, kNow, absl::Hours(24));
};

TEST_F(MaterialTest, GoodFilesAreRead) {
  const auto material = Read();
  ASSERT_THAT(material, IsOk());
  EXPECT_EQ(material->identity, kNode);
  EXPECT_EQ(material->expires, kNow + absl::Hours(24));
  EXPECT_EQ(material->key, issued_.key);
}

TEST_F(MaterialTest, OneOfSeveralAuthoritiesIsEnough) {
  Write("ca", MakeAuthority("new", kNow, absl::Hours(48))->certificate + authority_.certificate);
  EXPECT_THAT(Read(), IsOk());
}

TEST_F(MaterialTest, EachBadFileIsNamed) {
  std::filesystem::remove(folder_.At("key"));
  ExpectWrong("key", "cannot be read");
  Write("key", "nonsense");
  ExpectWrong("key", "no private key");
  Write("key", Issue(authority_, {kNode, {}}, kNow, absl::Hours(24))->key);
  ExpectWrong("key", "is not the key of the certificate");
  Write("key", issued_.key);
  Write("ca", "");
  ExpectWrong("ca", "has no certificate");
  Write("ca", MakeAuthority("other", kNow, absl::Hours(48))->certificate);
  ExpectWrong("cert", "is not good by the authorities");
  Write("ca", authority_.certificate);
  Write("cert", std::string((1 << 20) + 1, 'x'));
  ExpectWrong("cert", "larger than 1 MiB");
  Write("cert", issued_.certificate.substr(0, 100));
  ExpectWrong("cert", "has no certificate");
}

TEST_F(MaterialTest, AnExpiredCertificateIsRefused) {
  EXPECT_THAT(Read(kNow + absl::Hours(23)), IsOk());
  ExpectWrong("cert", "expired at 2027", kNow + absl::Hours(25));
}

TEST_F(MaterialTest, OneThatNamesNobodyIsRefused) {
  // The authority's own.
  Write("cert", authority_.certificate);
  Write("key", authority_.key);
  ExpectWrong("cert", "names no node and no client");
}

}  // namespace
}  // namespace leasemap::tls

// The bytes of each kind of message, as testdata/golden.txt has them: a link between two builds carries these. A change
// of them is a change of the protocol: it needs a new version, unless it is a field that older builds leave alone. With
// LEASEMAP_REWRITE_GOLDEN=1 in the environment the bytes of this build are written into the file instead.
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <variant>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "peer/wire/codec.h"
#include "peer/wire/frame.h"
#include "tests/wire/samples.h"

namespace leasemap::wire {
namespace {

constexpr char kFile[] = LEASEMAP_WIRE_TESTDATA "/golden.txt";

std::string Bytes(const core::Message& message) {
  std::string all;
  for (const std::string& frame : Encoder().Encode(message)) all += frame;
  return absl::BytesToHexString(all);
}

std::map<std::string, std::string> Golden() {
  std::map<std::string, std::string> golden;
  std::ifstream in(kFile);
  for (std::string name, hex; in >> name >> hex;) golden[name] = hex;
  return golden;
}

TEST(Golden, EachKindOfMessageHasTheBytesOfBefore) {
  const auto samples = Samples();
  if (std::getenv("LEASEMAP_REWRITE_GOLDEN") != nullptr) {
    std::ofstream out(kFile);
    for (const auto& [name, message] : samples) out << name << ' ' << Bytes(message) << '\n';
  }
  const auto golden = Golden();
  EXPECT_EQ(golden.size(), samples.size());
  EXPECT_EQ(samples.size(), std::variant_size_v<core::Message>) << "a kind has no sample";
  for (const auto& [name, message] : samples) {
    ASSERT_TRUE(golden.contains(name)) << name;
    EXPECT_EQ(Bytes(message), golden.at(name)) << name;
  }
}

TEST(Golden, TheBytesAreReadAsTheSameMessages) {
  const auto golden = Golden();
  for (const auto& [name, message] : Samples()) {
    ASSERT_TRUE(golden.contains(name)) << name;
    FrameReader reader;
    reader.SetLimit(kMaxFrameBytes);
    const std::string bytes = absl::HexStringToBytes(golden.at(name));
    reader.Feed(bytes);
    const auto body = reader.Next();
    ASSERT_TRUE(body.has_value()) << name;
    const auto decoded = Decoder().Decode(*body);
    ASSERT_TRUE(decoded.ok() && decoded->has_value()) << name << ": " << decoded.status();
    EXPECT_EQ((*decoded)->index(), message.index()) << name;
    EXPECT_EQ(Bytes(**decoded), golden.at(name)) << name;
  }
}

}  // namespace
}  // namespace leasemap::wire

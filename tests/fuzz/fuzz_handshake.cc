// A stranger's messages, whatever they are: the node keeps running and keeps its own writes, unless it was made to give
// its map up for the stranger's.
#include <cstdint>
#include <cstdlib>

#include "peer/core/node/node.h"
#include "peer/wire/codec.h"
#include "peer/wire/frame.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace leasemap;
  core::NodeOptions options;
  options.node_id = "n";
  core::Now now{core::MonoTime(1000), 1'700'000'000'000};
  core::Node node(options, now);
  core::WriteCommand write;
  write.key = "mine";
  write.value = "1";
  write.holder = "n";
  if (!node.Write(now, write).ok()) std::abort();
  node.OnAccepted(now, core::LinkId{1}, "127.0.0.1:1", "127.0.0.1:2");
  wire::FrameReader reader;
  wire::Decoder decoder;
  reader.SetLimit(wire::kMaxFrameBytes);
  reader.Feed({reinterpret_cast<const char*>(data), size});
  while (const auto frame = reader.Next()) {
    auto message = decoder.Decode(*frame);
    if (!message.ok()) break;
    now.mono += 10;
    now.wall_ms += 10;
    if (message->has_value()) node.OnMessage(now, core::LinkId{1}, *std::move(*message));
    node.Tick(now);
    for (const auto link : node.LinksToPull()) node.Pull(now, link);
    node.Take();
  }
  if (node.store().Find("mine") == nullptr && node.GetStatus().resets == 0) std::abort();
  return 0;
}

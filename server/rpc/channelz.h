// Reads gRPC's own counters (channelz) of the connections that it serves. It counts, for each socket, the streams that
// began, the messages that came whole and the streams that failed.
// (grpc/grpc.h, grpc_channelz_*; the JSON of grpc/channelz/v1/channelz.proto)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

namespace leasemap::rpc {

// Socket IDs by peer, as gRPC names peers, of every server of this process. Costs some microseconds a connection.
std::unordered_map<std::string, int64_t> SocketIds();

// What gRPC counts of a socket.
struct SocketCalls {
  int64_t unfinished = 0;  // UnfinishedRequests
  int64_t not_done = 0;    // streams that are open, or did not end well: gRPC counts the latter only later as failed
};
// Nothing if gRPC does not know the socket.
std::optional<SocketCalls> CallsOf(int64_t socket_id);

// The number of requests that have surely begun on this socket and not arrived completely; nothing if gRPC does not
// know the socket.
//
// Each stream of our services brings one message. A stream without one is unfinished, or its client broke it off: then
// it counts as failed. Streams that failed after their message hide as many unfinished ones, so this may be too low.
std::optional<int64_t> UnfinishedRequests(int64_t socket_id);

}  // namespace leasemap::rpc

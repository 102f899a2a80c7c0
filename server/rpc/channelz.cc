#include "server/rpc/channelz.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace leasemap::rpc {
namespace {

using google::protobuf::ListValue;
using google::protobuf::Struct;

constexpr intptr_t kPage = 500;

// Takes the answer of a grpc_channelz_ function; empty if there is none.
Struct Parse(char* json) {
  const std::unique_ptr<char, decltype(&gpr_free)> owned(json, gpr_free);
  Struct parsed;
  if (json == nullptr || !google::protobuf::util::JsonStringToMessage(json, &parsed).ok()) parsed.Clear();
  return parsed;
}

const Struct& Object(const Struct& in, const std::string& name) {
  const auto it = in.fields().find(name);
  return it == in.fields().end() ? Struct::default_instance() : it->second.struct_value();
}

const ListValue& List(const Struct& in, const std::string& name) {
  const auto it = in.fields().find(name);
  return it == in.fields().end() ? ListValue::default_instance() : it->second.list_value();
}

std::string Text(const Struct& in, const std::string& name) {
  const auto it = in.fields().find(name);
  return it == in.fields().end() ? "" : it->second.string_value();
}

// 64-bit numbers are text in JSON, and left out where they are 0.
int64_t Number(const Struct& in, const std::string& name) {
  int64_t number = 0;
  return absl::SimpleAtoi(Text(in, name), &number) ? number : 0;
}

void AddSocketsOf(int64_t server, std::unordered_map<std::string, int64_t>& out) {
  for (int64_t next = 0;;) {
    const Struct page = Parse(grpc_channelz_get_server_sockets(server, next, kPage));
    const ListValue& sockets = List(page, "socketRef");
    for (const auto& socket : sockets.values()) {
      const int64_t id = Number(socket.struct_value(), "socketId");
      const std::string name = Text(socket.struct_value(), "name");
      out[std::string(absl::StripPrefix(name, "chttp2 "))] = id;
      next = id + 1;
    }
    const auto end = page.fields().find("end");
    if (sockets.values().empty() || (end != page.fields().end() && end->second.bool_value())) return;
  }
}

}  // namespace

std::unordered_map<std::string, int64_t> SocketIds() {
  std::unordered_map<std::string, int64_t> out;
  const Struct servers = Parse(grpc_channelz_get_servers(0));
  for (const auto& server : List(servers, "server").values()) {
    AddSocketsOf(Number(Object(server.struct_value(), "ref"), "serverId"), out);
  }
  return out;
}

std::optional<SocketCalls> CallsOf(int64_t socket_id) {
  const Struct answer = Parse(grpc_channelz_get_socket(socket_id));
  const Struct& socket = Object(answer, "socket");
  if (socket.fields().empty()) return std::nullopt;
  const Struct& data = Object(socket, "data");
  const int64_t started = Number(data, "streamsStarted");
  return SocketCalls{started - Number(data, "messagesReceived") - Number(data, "streamsFailed"),
                     started - Number(data, "streamsSucceeded")};
}

std::optional<int64_t> UnfinishedRequests(int64_t socket_id) {
  const auto calls = CallsOf(socket_id);
  return calls ? std::optional(calls->unfinished) : std::nullopt;
}

}  // namespace leasemap::rpc

// Leasemap from C++ with nothing but the generated protos: set, get, watch, and a write that is refused.
//   example_cpp HOST:PORT [HOST:PORT]     the first node takes the write, the second shows it and refuses another
// LEASEMAP_TLS_CA (TLS), LEASEMAP_TLS_CERT and LEASEMAP_TLS_KEY (a certificate of one's own) name PEM files;
// LEASEMAP_TOKEN is a token.
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string_view>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "leasemap/v1/key_value.grpc.pb.h"
namespace v1 = leasemap::v1;

std::string Variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): there is one thread
  return value ? value : "";
}

std::string FileOf(const char* variable) {
  std::ifstream file(Variable(variable));
  return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<grpc::ChannelCredentials> Credentials(std::string_view target) {
  if (!Variable("LEASEMAP_TLS_CA").empty()) {
    return grpc::SslCredentials({FileOf("LEASEMAP_TLS_CA"), FileOf("LEASEMAP_TLS_KEY"), FileOf("LEASEMAP_TLS_CERT")});
  }
  if (!Variable("LEASEMAP_TOKEN").empty() && target.rfind("127.", 0) != 0) {
    std::cerr << "a token in plain text stays on this machine; set LEASEMAP_TLS_CA\n";
    std::exit(1);  // NOLINT(concurrency-mt-unsafe)
  }
  return grpc::InsecureChannelCredentials();
}

// One for each call.
struct Context : grpc::ClientContext {
  Context() {
    const std::string token = Variable("LEASEMAP_TOKEN");
    if (!token.empty()) AddMetadata("authorization", "Bearer " + token);
  }
};

std::unique_ptr<v1::KeyValue::Stub> Connect(const char* target) {
  grpc::ChannelArguments args;  // without these a refused first attempt may wait 5 to 10 s for the next
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // nodes are next door: http_proxy is for the web
  return v1::KeyValue::NewStub(grpc::CreateCustomChannel(target, Credentials(target), args));
}

// Every error of Leasemap's own carries an ErrorInfo with a reason.
std::string Reason(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  details.ParseFromString(status.error_details());
  for (const auto& detail : details.details()) detail.UnpackTo(&info);  // does nothing for details of other types
  return info.reason();
}

void Check(const grpc::Status& status) {
  if (status.ok()) return;
  std::cerr << status.error_message() << "\n";
  std::exit(1);  // NOLINT(concurrency-mt-unsafe): there is one thread
}

int main(int argc, char** argv) {
  if (argc < 2) return std::cerr << "usage: example_cpp HOST:PORT [HOST:PORT]\n", 2;
  const auto first = Connect(argv[1]), second = Connect(argv[argc > 2 ? 2 : 1]);
  Context watching, setting, getting, refusing;
  v1::WatchRequest watch;
  v1::WatchResponse seen;
  watch.add_keys("color");
  const auto stream = second->Watch(&watching, watch);
  if (!stream->Read(&seen)) Check(stream->Finish());  // the first message comes at once: now it listens

  v1::SetRequest set;
  v1::SetResponse done;
  set.set_key("color"), set.set_value("blue");
  Check(first->Set(&setting, set, &done));
  v1::GetRequest get;
  get.set_key("color");
  v1::GetResponse got;
  Check(first->Get(&getting, get, &got));
  std::cout << "set color=blue\nget color=" << got.entry().value() << "\n";
  while (seen.events().empty() && stream->Read(&seen)) continue;
  if (seen.events().empty()) return std::cerr << "the watch ended\n", 1;
  std::cout << "watch saw color=" << seen.events(0).entry().value() << "\n";
  set.set_value("red"), set.set_holder("someone-else");
  const grpc::Status refused = second->Set(&refusing, set, &done);
  std::cout << "refused: " << Reason(refused) << ": " << refused.error_message() << "\n";
  return refused.ok() ? 1 : 0;
}

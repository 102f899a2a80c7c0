#include "clients/cli/proofs.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/core/servers.h"
#include "clients/cli/core/text.h"
#include "clients/cli/terminal.h"

namespace leasemap::cli {
namespace {

// nullopt after it said on stderr that the file cannot be read; `what` to name instead.
std::optional<std::string> ReadFile(const char* option, const std::string& path, const char* what) {
  if (path.empty()) return "";
  std::ifstream file(path, std::ios::binary);
  if (file) file.peek();  // fails for a folder
  if (file) return std::string(std::istreambuf_iterator<char>(file), {});
  Complain() << option << ": " << Escape(path) << " cannot be read; name " << what << "\n";
  return std::nullopt;
}

// The token of --token-file or LEASEMAP_TOKEN; empty: none.
std::optional<std::string> ReadToken(const Options& options) {
  std::string token;
  const char* variable = std::getenv("LEASEMAP_TOKEN");  // NOLINT(concurrency-mt-unsafe): nothing sets a variable
  if (options.token_file.empty() && variable != nullptr) {
    token = variable;
  } else {
    auto text = ReadFile("--token-file", options.token_file, "a file with a token");
    if (!text) return std::nullopt;
    token = *std::move(text);
  }
  token = std::string(absl::StripAsciiWhitespace(token));
  const char* source = options.token_file.empty() ? "LEASEMAP_TOKEN" : "--token-file";
  if (token.empty() && !options.token_file.empty()) {
    Complain() << source << ": " << Escape(options.token_file) << " is empty; it holds a token\n";
    return std::nullopt;
  }
  // What metadata may hold, without blanks.
  if (!std::all_of(token.begin(), token.end(), [](char c) { return absl::ascii_isgraph(c); })) {
    Complain() << source << ": this is no token; `leasemap token new` makes one\n";
    return std::nullopt;
  }
  return token;
}

class AddToken : public grpc::experimental::Interceptor {
 public:
  explicit AddToken(const std::string& header) : header_(header) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization", header_);
    }
    methods->Proceed();
  }

 private:
  const std::string& header_;  // of the factory, which lives as long as the channel
};

class AddTokens : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit AddTokens(const std::string& token) : header_(absl::StrCat("Bearer ", token)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(grpc::experimental::ClientRpcInfo*) override {
    return new AddToken(header_);
  }

 private:
  const std::string header_;
};

}  // namespace

std::optional<Proofs> ReadProofs(const Options& options) {
  auto authorities = ReadFile("--tls-ca", options.tls_ca, "a PEM file");
  auto key = ReadFile("--tls-key", options.tls_key, "a PEM file");
  auto certificate = ReadFile("--tls-cert", options.tls_cert, "a PEM file");
  auto token = ReadToken(options);
  if (!authorities || !key || !certificate || !token) return std::nullopt;
  const auto& servers = options.servers;
  const auto far = std::find_if_not(servers.begin(), servers.end(), IsLoopback);
  if (!token->empty() && options.tls_ca.empty() && !options.insecure_token && far != servers.end()) {
    Complain() << "the token would go to " << Escape(*far)
               << " in plain text, where others may read it; give --tls-ca, or --insecure-token if the network is "
                  "trusted\n";
    return std::nullopt;
  }
  return Proofs{*std::move(authorities), *std::move(key), *std::move(certificate), *std::move(token)};
}

std::shared_ptr<grpc::ChannelCredentials> ChannelCredentialsOf(const Proofs& proofs) {
  if (proofs.authorities.empty()) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({proofs.authorities, proofs.key, proofs.certificate});
}

std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> TokenSenders(const Proofs& proofs) {
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> out;
  if (!proofs.token.empty()) out.push_back(std::make_unique<AddTokens>(proofs.token));
  return out;
}

}  // namespace leasemap::cli

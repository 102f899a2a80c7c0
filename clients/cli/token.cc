// `leasemap token`: a token, and what the nodes' --auth-file has of it. No node is asked.
#include "peer/tls/token.h"

#include <iostream>

#include "clients/cli/commands.h"
#include "clients/cli/core/text.h"
#include "clients/cli/terminal.h"

namespace leasemap::cli {

int Token(Connection& connection) {
  const std::optional<std::string> token = tls::NewToken();
  if (!token) {
    Complain() << "OpenSSL has no random bits for a token\n";
    return kRefused;
  }
  const std::string hash = tls::HashOfToken(*token);
  if (connection.options().json) {
    std::cout << R"({"token":")" << *token << R"(","tokenSha256":")" << hash << "\"}\n";
  } else {
    std::cout << *token << "\n";
    std::cerr << "token_sha256: \"" << hash << "\"\n";
  }
  return kDone;
}

}  // namespace leasemap::cli

#include <cstdlib>
#include <utility>

#include "leasemap/options.h"

namespace leasemap {

ClientOptions FromEnvironment(ClientOptions options) {
  const std::pair<const char*, std::string ClientOptions::*> variables[] = {
      {"LEASEMAP_TLS_CA", &ClientOptions::tls_ca},
      {"LEASEMAP_TLS_CERT", &ClientOptions::tls_cert},
      {"LEASEMAP_TLS_KEY", &ClientOptions::tls_key},
      {"LEASEMAP_TOKEN", &ClientOptions::token},
      {"LEASEMAP_TOKEN_FILE", &ClientOptions::token_file}};
  for (const auto& [name, option] : variables) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): the header says so
    if (value && *value) options.*option = value;
  }
  if (!options.token_file.empty()) options.token.clear();
  return options;
}

}  // namespace leasemap

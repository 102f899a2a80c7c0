// Addresses in the form that people and other nodes get. A socket of [::] names IPv4 addresses as ::ffff:10.9.0.1.
#pragma once

#include <string>

#include "asio/ip/address.hpp"
#include "peer/net/transport.h"

namespace leasemap::host {

// host:port with an IPv4 address as one: 10.9.0.1:7401 for [::ffff:10.9.0.1]:7401. Other text stays as it is.
inline std::string PlainAddress(const std::string& text) {
  const auto parsed = net::ParseHostPort(text);
  asio::error_code error;
  const auto ip = asio::ip::make_address(parsed ? parsed->host : "", error);
  if (error || !ip.is_v6() || !ip.to_v6().is_v4_mapped()) return text;
  return net::ShowHostPort(asio::ip::make_address_v4(asio::ip::v4_mapped, ip.to_v6()).to_string(), parsed->port);
}

// Whether one listens on every address of the machine there: 0.0.0.0, [::] or none.
inline bool IsAnyAddress(const std::string& host) {
  asio::error_code error;
  const auto ip = asio::ip::make_address(host, error);
  return host.empty() || (!error && ip.is_unspecified());
}

inline bool IsLoopbackAddress(const std::string& text) {
  const auto parsed = net::ParseHostPort(text);
  asio::error_code error;
  const auto ip = asio::ip::make_address(parsed ? parsed->host : "", error);
  return !error && ip.is_loopback();
}

}  // namespace leasemap::host

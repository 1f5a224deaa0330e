// Asks a job's RAS over TCP: any process of the job answers for all of it.
#pragma once

#include <string>

#include "base/result.hpp"
#include "source/ras/report.hpp"

namespace peerscope::ras {

struct Address {
  std::string host = "localhost";
  int port = 28028;
};
// "host:port", "[::1]:port", "host", ":port", as NCCL_RAS_ADDR has it.
Result<Address> parse_address(const std::string& text);

struct ClientOptions {
  Address address;
  double timeout_s = 20.0;  // in all
  std::size_t max_bytes = std::size_t{64} << 20;
};

// All that the server says until it closes.
Result<std::string> ask(const ClientOptions& options);
Result<Report> fetch_report(const ClientOptions& options);

}  // namespace peerscope::ras

// The web view of a session or a file, with all that stands behind it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"

namespace peerscope {

struct DashboardOptions {
  std::vector<std::string> sessions;  // to follow; empty: `file`
  std::string file;                   // a .pscope file to show
  std::string id;                     // how it is called
  std::string host, tls_cert, tls_key, token_file;
  int port = 0;           // 0: any
  bool any_port = false;  // where `port` is taken, another one will do
  std::string command;    // that this is, for the recording
};
// What the configuration says of it.
DashboardOptions dashboard_options(const Config& config);

class Dashboard {
 public:
  // The caller has forked all that it wants to fork. The error is one sentence.
  static Result<std::unique_ptr<Dashboard>> start(const DashboardOptions& options,
                                                  const Config& config);
  ~Dashboard();
  Dashboard(const Dashboard&) = delete;
  Dashboard& operator=(const Dashboard&) = delete;

  [[nodiscard]] std::string url() const;
  [[nodiscard]] int port() const;
  [[nodiscard]] std::vector<std::string> warnings() const;  // sentences for people
  [[nodiscard]] bool live() const;

 private:
  struct Parts;
  explicit Dashboard(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// Where it is, to standard output; warnings to standard error.
void print_address(const char* command, const Dashboard& dashboard, const std::string& id,
                   bool as_json, bool quiet);

}  // namespace peerscope

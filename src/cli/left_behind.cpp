#include "cli/left_behind.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "session/json.hpp"

namespace peerscope {
namespace {

bool write(const std::string& dir, const std::string& name, const nlohmann::json& json) {
  std::error_code ignored;  // what is wrong shows when the file is opened
  std::filesystem::create_directories(dir, ignored);
  const std::string path = fmt::format("{}/{}", dir, name);
  errno = 0;
  std::ofstream file(path);
  file << json.dump(2) << '\n';
  if (file.flush()) return true;
  fmt::print(stderr, "peerscope run: cannot write {}: {}\n", path, std::strerror(errno));
  return false;
}

// What one looks at when something went wrong. Empty arrays only: nothing did.
nlohmann::json trouble_of(const Snapshot& snapshot) {
  using nlohmann::json;
  json out{{"findings", json::array()},
           {"in_flight", json::array()},
           {"events", to_json(snapshot)["events"]}};
  for (const Finding& finding : snapshot.findings) {
    if (finding.severity == Severity::critical) out["findings"].push_back(to_json(finding));
  }
  for (const InFlight& entry : snapshot.in_flight)
    out["in_flight"].push_back(to_json(entry, snapshot));
  return out;
}

}  // namespace

bool leave_reports(const Config& config, const std::string& session, const Snapshot& snapshot) {
  bool good = true;
  if (const std::string& dir = config.text("profile.dir");
      config.boolean("profile.enabled") && !dir.empty())
    good = write(dir, session + "-profile.json", to_json(snapshot));
  const std::string& dir = config.text("debug.dir");
  if (!config.boolean("debug.enabled") || dir.empty()) return good;
  const nlohmann::json trouble = trouble_of(snapshot);
  if (trouble["findings"].empty() && trouble["in_flight"].empty() && trouble["events"].empty())
    return good;
  return write(dir, session + "-debug.json", trouble) && good;
}

}  // namespace peerscope

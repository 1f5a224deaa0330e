// Results of `peerscope bench ... --json` that lie in the folders of results.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "http/api/parameters.hpp"
#include "http/api/resources.hpp"
#include "suite/compare.hpp"
#include "suite/format.hpp"

namespace peerscope::http {

using nlohmann::json;

namespace {

constexpr std::uintmax_t kMostBytes = 4 << 20;   // of one file
constexpr std::uintmax_t kMostInAll = 64 << 20;  // that one answer reads
constexpr std::size_t kMostFiles = 200;

struct File {
  std::string id, path;  // the name without its folder
  ResultSet results;
};

// A path never comes from the request: what is asked for is looked up among what is there.
std::vector<std::pair<std::string, std::string>> names_of(const Api& api) {
  std::vector<std::pair<std::string, std::string>> names;  // id, path
  std::uintmax_t all = 0;
  for (const std::string& dir : api.benchmark_dirs) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(dir, ignored)) {
      const bool fits = entry.is_regular_file(ignored) && entry.path().extension() == ".json" &&
                        entry.file_size(ignored) <= kMostBytes;
      if (!fits || names.size() >= kMostFiles) continue;
      all += entry.file_size(ignored);
      if (all > kMostInAll) return names;
      names.emplace_back(entry.path().stem().string(), entry.path().string());
    }
  }
  return names;
}

std::vector<File> files_of(const Api& api) {
  std::vector<File> files;
  for (const auto& [id, path] : names_of(api)) {
    if (auto results = read_results(path)) files.push_back({id, path, std::move(*results)});
  }
  std::sort(files.begin(), files.end(),
            [](const File& a, const File& b) { return a.results.created > b.results.created; });
  return files;
}

std::optional<File> find(const Api& api, const std::string& wanted) {
  for (const auto& [id, path] : names_of(api)) {
    if (id != wanted) continue;
    if (auto results = read_results(path)) return File{id, path, std::move(*results)};
  }
  return std::nullopt;
}

Response not_there(const std::string& id) {
  return refuse(
      404, fmt::format("there is no benchmark result '{}'; /api/v1/benchmarks lists them", id));
}

}  // namespace

Response get_benchmarks(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  json items = json::array();
  for (const File& file : files_of(api)) {
    items.push_back({{"id", file.id},
                     {"name", file.id},
                     {"created", file.results.created},
                     {"command", file.results.command},
                     {"machine", file.results.machine.text},
                     {"fingerprint", file.results.machine.fingerprint},
                     {"rows", file.results.rows.size()}});
  }
  return answer({{"items", items}});
}

Response get_benchmark(const Api& api, const Request& request, const Captures& path) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  const auto file = find(api, path[0]);
  if (!file) return not_there(path[0]);
  std::ostringstream text;
  text << std::ifstream(file->path).rdbuf();
  Response response;
  response.body = text.str();
  return response;
}

Response get_benchmark_compare(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  const std::string base = parameters.text("base");
  const std::string next = parameters.text("new");
  if (base.empty() || next.empty()) parameters.fail("give base and new: ids of /api/v1/benchmarks");
  if (const auto refusal = parameters.refusal()) return *refusal;
  const auto before = find(api, base);
  const auto after = find(api, next);
  if (!before || !after) return not_there(!before ? base : next);
  const auto comparison = compare(before->results, after->results, {});
  if (!comparison) return refuse(comparison.error());
  return answer(comparison_json(*comparison));
}

}  // namespace peerscope::http

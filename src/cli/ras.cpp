// peerscope ras: what NCCL's own RAS knows of a job: who is missing, who is behind.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/render.hpp"
#include "source/ras/client.hpp"
#include "source/ras/judge.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

json rank_json(const ras::Rank& rank) {
  const auto text = [](const std::string& value) {
    return value.empty() ? json(nullptr) : json(value);
  };
  json launched = json::object();
  for (const auto& [collective, count] : rank.launched) launched[collective] = count;
  return {{"rank", rank.rank},
          {"host", text(rank.host)},
          {"pid", rank.pid ? json(*rank.pid) : json(nullptr)},
          {"gpu", text(rank.gpu)},
          {"status", text(rank.status)},
          {"error", text(rank.error)},
          {"launched", launched.empty() ? json(nullptr) : launched}};
}

json comm_json(const ras::Communicator& comm) {
  const auto truth = [](const std::optional<bool>& value) {
    return value ? json(*value) : json(nullptr);
  };
  json out = {{"hash", comm.hash},
              {"size", comm.size > 0 ? json(comm.size) : json(nullptr)},
              {"missing_count", comm.missing_count},
              {"ranks", json::array()},
              {"missing", json::array()},
              {"differences", json::array()}};
  for (const ras::Rank& rank : comm.ranks) out["ranks"].push_back(rank_json(rank));
  for (const ras::MissingRank& missing : comm.missing) {
    json rank = rank_json(missing.rank);
    rank.erase("launched"), rank.erase("status"), rank.erase("error");
    rank["unresponsive"] = truth(missing.unresponsive);
    rank["dead"] = truth(missing.dead);
    out["missing"].push_back(std::move(rank));
  }
  for (const ras::Difference& differ : ras::differences(comm)) {
    out["differences"].push_back({{"collective", differ.collective},
                                  {"behind", differ.behind()},
                                  {"ranks", differ.ranks},
                                  {"count", differ.count},
                                  {"launched", differ.launched},
                                  {"majority_launched", differ.majority_launched},
                                  {"majority_count", differ.majority_count}});
  }
  return out;
}

json report_json(const ras::Report& report, const std::vector<Finding>& findings) {
  json out = {{"nccl_version", report.nccl_version},
              {"communicators_count", report.communicators_count},
              {"communicators", json::array()},
              {"lost_processes", json::array()},
              {"collection_s", report.collection_s ? json(*report.collection_s) : json(nullptr)},
              {"timeouts", report.timeouts},
              {"partial", report.partial},
              {"repaired", report.repaired},
              {"findings", json::array()}};
  for (const ras::Communicator& comm : report.communicators)
    out["communicators"].push_back(comm_json(comm));
  for (const ras::LostProcess& process : report.lost) {
    out["lost_processes"].push_back({{"pid", process.pid},
                                     {"host", process.host},
                                     {"gpus", process.gpus},
                                     {"dead", process.dead}});
  }
  for (const Finding& one : findings) {
    out["findings"].push_back({{"kind", one.kind},
                               {"severity", name(one.severity)},
                               {"sentence", one.sentence},
                               {"action", one.action}});
  }
  return out;
}

// Of each communicator: its size, who answered, and the least and most that were launched.
std::string communicators_table(const ras::Report& report, const Style& style) {
  std::vector<std::vector<std::string>> rows{
      {"communicator", "ranks", "missing", "collective", "launched"}};
  for (const ras::Communicator& comm : report.communicators) {
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const ras::LaunchGroup& group : comm.groups) {
      auto [at, is_new] =
          ranges.emplace(group.collective, std::pair{group.launched, group.launched});
      at->second.first = std::min(at->second.first, group.launched);
      at->second.second = std::max(at->second.second, group.launched);
    }
    std::string hash = comm.hash;
    std::string size = comm.size > 0 ? std::to_string(comm.size) : "–";
    std::string missing = std::to_string(comm.missing_count);
    bool any = false;
    for (const auto& [collective, range] : ranges) {
      if (range.second == 0) continue;
      rows.push_back(
          {hash, size, missing, collective,
           range.first == range.second
               ? format_count(range.first)
               : fmt::format("{} to {}", format_count(range.first), format_count(range.second))});
      hash = size = missing = "";
      any = true;
    }
    if (!any) rows.push_back({hash, size, missing, "–", "–"});
  }
  return rows.size() == 1 ? "" : table(rows, 1, style);
}

void print_report(const ras::Report& report, const std::vector<Finding>& findings) {
  const Style style = terminal_style();
  for (const Finding& one : findings) fmt::print("{}", finding_text(one, style));
  if (findings.empty()) {
    fmt::print(
        "  ● No rank is missing, and none stays behind. Counts are launches: a hang in which\n"
        "    all ranks have launched looks the same.\n");
  }
  fmt::print("\n{}", communicators_table(report, style));
  fmt::print("  NCCL {} · {} communicator{}{}{}\n", report.nccl_version, report.communicators_count,
             report.communicators_count == 1 ? "" : "s",
             report.collection_s
                 ? fmt::format(" · collected in {}", format_duration(*report.collection_s * 1e9))
                 : "",
             report.timeouts > 0 ? fmt::format(" · {} timed out on the way", report.timeouts) : "");
  if (report.partial)
    fmt::print("  before 2.28.7 NCCL names only communicators and ranks that differ\n");
}

// NCCL_RAS_ADDR, as NCCL itself reads it; options win.
Result<ras::Address> address_of(const std::string& host, int port) {
  const char* given = std::getenv("NCCL_RAS_ADDR");
  auto address = ras::parse_address(given == nullptr ? "" : given);
  if (!address)
    return Error{ErrorCode::invalid_argument, "NCCL_RAS_ADDR: " + address.error().message};
  if (!host.empty()) address->host = host;
  if (port > 0) address->port = port;
  return address;
}

int ras_main(Args& args) {
  std::string host;
  int port = 0;
  bool as_json = false;
  ras::ClientOptions options;
  args.text("--host", host, "where a process of the job runs (default: localhost)");
  args.integer("--port", port, 1, 65535, "its port (default: 28028, or that of NCCL_RAS_ADDR)");
  args.real("--timeout", options.timeout_s, 0.1, 3600, "seconds to wait, in all");
  args.flag("--json", as_json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  const auto address = address_of(host, port);
  if (!address) {
    fmt::print(stderr, "peerscope ras: {}\n", address.error().message);
    return 2;
  }
  options.address = *address;
  auto report = ras::fetch_report(options);
  if (!report) {
    fmt::print(stderr, "peerscope ras: {}\n", report.error().message);
    return 2;
  }
  std::optional<ras::Report> earlier;
  if (ras::has_differences(*report)) {  // do they stand still?
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    auto again = ras::fetch_report(options);
    if (again) {
      earlier = std::move(*report);
      report = std::move(again);
    }
  }
  const std::vector<Finding> findings = ras::judge(*report, earlier ? &*earlier : nullptr);
  if (as_json) {
    fmt::print("{}\n",
               report_json(*report, findings).dump(2, ' ', false, json::error_handler_t::replace));
  } else {
    print_report(*report, findings);
  }
  return 0;
}

}  // namespace

const Command kRasCommand{
    {"ras", "ask NCCL's own RAS of a running job: who is missing, who is behind",
     "  peerscope ras\n"
     "  peerscope ras --host node7 --timeout 30 --json\n",
     ""},
    ras_main};

}  // namespace peerscope

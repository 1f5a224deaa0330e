// The JSON of NCCL 2.28.7 and later.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "source/ras/report.hpp"

namespace peerscope::ras {
namespace {

using nlohmann::json;

constexpr int kNcclSuccess = 0, kNcclInProgress = 7;

// Fields of another type than ours are as unknown as fields that are not there.
int integer(const json& object, const char* key, int otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<int>() : otherwise;
}

std::optional<bool> boolean(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_boolean()) return std::nullopt;
  return found->get<bool>();
}

std::string text(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

const json& child(const json& object, const char* key) {
  static const json kNothing = json::object();
  const auto found = object.find(key);
  return found != object.end() && (found->is_object() || found->is_array()) ? *found : kNothing;
}

std::string gpu_of(const json& object) {
  const int cuda = integer(object, "cuda_dev", -1);
  const int nvml = integer(object, "nvml_dev", -1);
  if (cuda < 0) return "";
  return nvml < 0 || nvml == cuda ? fmt::format("{}", cuda)
                                  : fmt::format("{} (NVML {})", cuda, nvml);
}

const char* error_name(int result) {
  constexpr const char* kNames[] = {"",
                                    "unhandled CUDA error",
                                    "system error",
                                    "internal error",
                                    "invalid argument",
                                    "invalid usage",
                                    "remote process error",
                                    ""};
  if (result == kNcclSuccess || result == kNcclInProgress) return "";
  return result > 0 && result < kNcclInProgress ? kNames[result] : "unexpected error";
}

// As NCCL's own report in text has it.
std::string status_of(const json& status) {
  if (status.empty()) return "";
  if (boolean(status, "abort_flag").value_or(false)) return "ABORT";
  if (boolean(status, "finalize_called").value_or(false) ||
      boolean(status, "destroy_flag").value_or(false))
    return "FINALIZE";
  return integer(status, "init_state", kNcclSuccess) == kNcclSuccess ? "RUNNING" : "INIT";
}

std::string error_of(const json& status) {
  const std::string init = error_name(integer(status, "init_state", kNcclSuccess));
  return init.empty() ? error_name(integer(status, "async_error", kNcclSuccess)) : init;
}

Rank rank_of(const json& object) {
  Rank rank;
  rank.rank = integer(object, "rank", -1);
  rank.host = text(object, "host");
  if (const int pid = integer(object, "pid", -1); pid >= 0) rank.pid = pid;
  rank.gpu = gpu_of(object);
  return rank;
}

Rank answering_rank(const json& object) {
  Rank rank = rank_of(object);
  const json& status = child(object, "status");
  rank.status = status_of(status);
  rank.error = error_of(status);
  for (const auto& [name, count] : child(object, "collective_counts").items()) {
    if (count.is_number_unsigned())
      rank.launched[collective_name(name)] = count.get<std::uint64_t>();
  }
  return rank;
}

MissingRank missing_rank(const json& object) {
  MissingRank missing;
  missing.rank = rank_of(object);
  const json& status = child(object, "status");
  missing.unresponsive = boolean(status, "unresponsive");
  missing.dead = boolean(status, "considered_dead");
  return missing;
}

std::vector<LaunchGroup> groups_of(const std::vector<Rank>& ranks) {
  std::map<std::string, std::map<std::uint64_t, std::vector<int>>> sorted;
  for (const Rank& rank : ranks) {
    for (const auto& [collective, count] : rank.launched)
      sorted[collective][count].push_back(rank.rank);
  }
  std::vector<LaunchGroup> groups;
  for (const auto& [collective, counts] : sorted) {
    for (const auto& [launched, members] : counts)
      groups.push_back({collective, launched, static_cast<int>(members.size()), members});
  }
  return groups;
}

Communicator communicator_of(const json& object) {
  Communicator comm;
  comm.hash = text(object, "hash");
  comm.size = integer(object, "size", 0);
  for (const json& rank : child(object, "ranks")) comm.ranks.push_back(answering_rank(rank));
  for (const json& rank : child(object, "missing_ranks"))
    comm.missing.push_back(missing_rank(rank));
  comm.missing_count =
      integer(object, "missing_ranks_count", static_cast<int>(comm.missing.size()));
  comm.groups = groups_of(comm.ranks);
  for (const Rank& rank : comm.ranks)
    comm.status_differs = comm.status_differs || rank.status != comm.ranks.front().status;
  return comm;
}

}  // namespace

Result<Report> parse_json_report(std::string_view given) {
  Report report;
  json root = json::parse(given, nullptr, false);
  if (root.is_discarded()) {
    std::string repaired(given);
    report.repaired = repair_json(repaired);
    if (report.repaired) root = json::parse(repaired, nullptr, false);
  }
  if (!root.is_object() || !root.contains("communicators"))
    return Error{ErrorCode::corrupt,
                 fmt::format("NCCL's report is no whole JSON ({} bytes): it broke off, or this "
                             "version writes it differently",
                             given.size())};
  report.nccl_version = text(root, "nccl_version");
  for (const json& comm : child(root, "communicators"))
    report.communicators.push_back(communicator_of(comm));
  report.communicators_count =
      integer(root, "communicators_count", static_cast<int>(report.communicators.size()));
  const json& ras = child(root, "ras");
  if (const auto time = ras.find("collection_time_sec"); time != ras.end() && time->is_number())
    report.collection_s = time->get<double>();
  report.timeouts = integer(ras, "timeouts_count", 0);
  return report;
}

}  // namespace peerscope::ras

// What NCCL's RAS knows of a job: its communicators, who is missing, and who has launched less than
// the others. Plain data.
//
// Counts are launches, not completions: where all ranks have launched, a hang looks healthy here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace peerscope::ras {

struct Rank {
  int rank = -1;
  std::string host;        // "" unknown
  std::optional<int> pid;  //
  std::string gpu;         // "0"; or, if NVML counts it differently, "0 (NVML 4)"
  std::string status;      // NCCL's words: INIT, RUNNING, FINALIZE, ABORT; "" unknown
  std::string error;       // "" none that is known
  std::map<std::string, std::uint64_t> launched;  // by collective; in text: none
};

struct MissingRank {
  Rank rank;
  std::optional<bool> unresponsive, dead;
};

// Ranks that have launched the same number of one collective.
struct LaunchGroup {
  std::string collective;  // "all_reduce"; "any": NCCL before 2.26 counts them all together
  std::uint64_t launched = 0;
  int size = 0;
  std::vector<int> ranks;  // text names those that are few; then there are fewer than `size`
};

struct Communicator {
  std::string hash;  // "0x…", as NCCL_DEBUG=INFO writes commId
  int size = 0;      // 0: unknown
  int missing_count = 0;
  std::vector<Rank> ranks;
  std::vector<MissingRank> missing;
  std::vector<LaunchGroup> groups;
  bool status_differs = false;
};

struct LostProcess {  // of the job, by the text format
  int pid = 0;
  std::string host, gpus;
  bool dead = false;  // unreachable; else: it gave no data
};

struct Report {
  std::string nccl_version;
  int communicators_count = 0;
  // In text those only that something is wrong with, or all: `partial` tells.
  std::vector<Communicator> communicators;
  std::vector<LostProcess> lost;
  std::optional<double> collection_s;
  int timeouts = 0;
  bool partial = false;   // from the text format: ranks in order are not listed
  bool repaired = false;  // NCCL 2.28.7 to 2.28.9 leave a comma out where a rank is missing
};

// Who differs from the majority of a communicator, in one collective.
struct Difference {
  std::string collective;
  std::vector<int> ranks;
  int count = 0;               // how many; `ranks` may name fewer
  std::uint64_t launched = 0;  // by them
  std::uint64_t majority_launched = 0;
  int majority_count = 0;
  [[nodiscard]] bool behind() const { return launched < majority_launched; }
};
// The majority is the count that most ranks share; of equals, the highest. Behind first, then ahead.
std::vector<Difference> differences(const Communicator& communicator);

// What a server sends until it closes: answers to our commands, then a report in JSON or in text.
Result<Report> parse_report(std::string_view text);
Result<Report> parse_json_report(std::string_view text);
Result<Report> parse_text_report(std::string_view text);

// Puts in the comma after "nvml_dev": N that NCCL 2.28.7 to 2.28.9 leave out. True if it did.
bool repair_json(std::string& text);

std::string collective_name(std::string_view nccl);  // "AllReduce" -> "all_reduce"

}  // namespace peerscope::ras

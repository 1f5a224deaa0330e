#include "cli/pinning.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <sched.h>

namespace peerscope {
namespace {

using Run = std::pair<int, int>;  // first, last

std::vector<Run> runs_of(const std::vector<int>& cpus) {
  std::vector<Run> runs;
  for (const int cpu : cpus) {
    if (!runs.empty() && runs.back().second + 1 == cpu) {
      runs.back().second = cpu;
    } else {
      runs.emplace_back(cpu, cpu);
    }
  }
  return runs;
}

// The part of rank `at` of `of`; if there are fewer processors than ranks, one that others have too.
std::vector<int> part_of(const std::vector<int>& cpus, int at, int of) {
  std::vector<int> part;
  for (const Run& run : runs_of(cpus)) {
    const int length = run.second - run.first + 1;
    for (int i = length * at / of; i < length * (at + 1) / of; ++i) part.push_back(run.first + i);
  }
  if (part.empty() && !cpus.empty())
    part.push_back(cpus[static_cast<std::size_t>(at) % cpus.size()]);
  return part;
}

}  // namespace

std::vector<int> parse_cpu_list(const std::string& text) {
  std::vector<int> cpus;
  const char* at = text.c_str();
  while (std::isdigit(static_cast<unsigned char>(*at)) != 0) {
    char* end = nullptr;
    const long first = std::strtol(at, &end, 10);
    long last = first;
    if (*end == '-') last = std::strtol(end + 1, &end, 10);
    for (long cpu = first; cpu <= last && cpu < CPU_SETSIZE; ++cpu)
      cpus.push_back(static_cast<int>(cpu));
    at = *end == ',' ? end + 1 : end;
  }
  return cpus;
}

std::string format_cpu_list(const std::vector<int>& cpus) {
  std::string text;
  for (const Run& run : runs_of(cpus)) {
    text += fmt::format("{}{}", text.empty() ? "" : ",", run.first);
    if (run.second > run.first) text += fmt::format("-{}", run.second);
  }
  return text;
}

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

std::vector<int> cpus_near(const std::string& pci_bus_id, const std::string& sysfs) {
  std::string id = pci_bus_id;
  for (char& c : id) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::ifstream file(fmt::format("{}/bus/pci/devices/{}/local_cpulist", sysfs, id));
  std::string line;
  std::getline(file, line);
  return parse_cpu_list(line);
}

std::vector<std::vector<int>> share_out(std::vector<std::vector<int>> near,
                                        const std::vector<int>& allowed) {
  for (std::vector<int>& cpus : near) {
    std::erase_if(
        cpus, [&](int cpu) { return !std::binary_search(allowed.begin(), allowed.end(), cpu); });
    if (cpus.empty()) cpus = allowed;
  }
  std::vector<std::vector<int>> parts;
  for (std::size_t rank = 0; rank < near.size(); ++rank) {
    const auto here = near.begin() + static_cast<std::ptrdiff_t>(rank);
    const auto before = std::count(near.begin(), here, near[rank]);
    const auto all = std::count(near.begin(), near.end(), near[rank]);
    parts.push_back(part_of(near[rank], static_cast<int>(before), static_cast<int>(all)));
  }
  return parts;
}

void pin_to(const std::vector<int>& cpus) {
  if (cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(static_cast<unsigned>(cpu), &set);
  sched_setaffinity(0, sizeof set, &set);
}

}  // namespace peerscope

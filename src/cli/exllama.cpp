// peerscope exllama: ExLlamaV3's native tensor-parallel backend as it runs, without any hook in it.
#include <algorithm>
#include <cstdio>
#include <deque>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/exllama_view.hpp"
#include "cli/stop.hpp"
#include "record/ticks.hpp"
#include "source/exllama/mapping.hpp"

namespace peerscope {
namespace {

using nlohmann::json;
using namespace exllama;

struct ExllamaOptions {
  std::string file, dir = "/dev/shm";
  int pid = 0;
  double seconds = 5, rate_hz = 0;
  bool as_json = false;
};

std::int64_t now_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

bool has_pid(const Mappers& mappers, int pid) {
  return std::any_of(mappers.processes.begin(), mappers.processes.end(),
                     [pid](const Mapper& m) { return m.pid == static_cast<std::uint32_t>(pid); });
}

// Contexts that are to be watched; what is refused goes to `refused`.
std::deque<WatchedContext> open_all(const ExllamaOptions& options,
                                    std::vector<std::string>& refused) {
  std::deque<WatchedContext> all;
  const std::vector<Found> found =
      options.file.empty() ? find_contexts(options.dir) : std::vector<Found>{look_at(options.file)};
  for (const Found& one : found) {
    Mappers mappers = who_maps(one.path, one.inode);
    if (options.pid != 0 && !has_pid(mappers, options.pid)) continue;
    Result<ContextFile> file = ContextFile::open(one);
    if (!file) {
      refused.push_back(file.error().message);
      continue;
    }
    WatchedContext& watched = all.emplace_back();
    watched.found = one;
    watched.mappers = std::move(mappers);
    watched.sampler = std::make_unique<Sampler>(
        std::move(*file), SamplerOptions{.rate_hz = options.rate_hz},
        [&watched](const Observed& observed) { watched.summary.add(observed); });
  }
  return all;
}

// Several contexts are looked at in turn, with the first one's rhythm.
void watch(std::deque<WatchedContext>& all, const ExllamaOptions& options) {
  const std::int64_t end_ns = now_ns() + static_cast<std::int64_t>(options.seconds * 1e9);
  while (!stop_requested()) {
    bool any = false;
    for (WatchedContext& watched : all) {
      if (!watched.ended.empty()) continue;
      if (!watched.sampler->look()) watched.ended = watched.sampler->error().message;
      any = any || watched.ended.empty();
    }
    const std::int64_t left_ns = end_ns - now_ns();
    if (!any || left_ns <= 0) return;
    all.front().sampler->sleep(left_ns);
  }
}

void print_all(const std::deque<WatchedContext>& all, const std::vector<std::string>& refused,
               const ExllamaOptions& options) {
  if (options.as_json) {
    json contexts = json::array();
    for (const WatchedContext& watched : all) contexts.push_back(to_json(watched));
    fmt::print("{}\n", json{{"contexts", contexts}, {"refused", refused}}.dump(2));
    return;
  }
  const Style style = terminal_style();
  for (const WatchedContext& watched : all) {
    print(watched, style);
    fmt::print("\n");
  }
  for (const std::string& sentence : refused) fmt::print("  not read: {}\n", sentence);
  if (!all.empty() || !refused.empty()) return;
  fmt::print(
      "  No ExLlamaV3 job with tensor parallelism {}in {}.\n"
      "  It makes its files there while a model is loaded with tensor_p=True (-tp); in a "
      "container,\n"
      "  peerscope must share its /dev/shm.\n",
      options.pid != 0 ? fmt::format("of process {} ", options.pid) : "", options.dir);
}

int exllama_main(Args& args) {
  ExllamaOptions options;
  args.flag("--json", options.as_json, "print one JSON object");
  args.integer("--pid", options.pid, 0, 1 << 30, "only the job that this process belongs to");
  args.text("--file", options.file, "only this context: /dev/shm/UUID_g");
  args.text("--dir", options.dir, "where to look (default: /dev/shm)");
  args.real("--seconds", options.seconds, 0, 1e9, "how long to watch (default: 5)");
  args.real("--rate", options.rate_hz, 0, 20'000,
            "samples a second (default: 1000 to 20000, for at most 2 % of a processor)");
  if (const auto status = args.parse()) return *status;
  stop_on_interrupt();
  std::vector<std::string> refused;
  std::deque<WatchedContext> all = open_all(options, refused);
  if (!all.empty()) watch(all, options);
  print_all(all, refused, options);
  return !options.file.empty() && all.empty() ? 2 : 0;
}

}  // namespace

const Command kExllamaCommand{
    {"exllama", "watch ExLlamaV3's own tensor parallelism, without a hook in it",
     "  peerscope exllama                       what runs here, for 5 s\n"
     "  peerscope exllama --rate 20000 --json   as finely as it goes, for scripts\n",
     ""},
    exllama_main};

}  // namespace peerscope

// peerscope bench nccl-callback: what the built NCCL plugin costs, callback by callback, behind a fake NCCL.
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/measure.hpp"
#include "cli/render.hpp"
#include "cli/sources.hpp"
#include "source/nccl/fake_nccl.hpp"

namespace peerscope {
namespace {

constexpr int kChannels = 24;
constexpr std::size_t kPhases = 4;
constexpr std::array<const char*, kPhases> kNames{"host events", "channel start",
                                                  "channel's stop time", "channel end"};

using Clock = std::chrono::steady_clock;

double ns_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
}

struct Costs {
  std::array<double, kPhases> ns{};                // of one callback
  std::array<std::uint64_t, kPhases> callbacks{};  // of one all-reduce
  double all_reduce_us = 0;
};

// Descriptors are filled outside: they are NCCL's cost, not ours.
class Driver {
 public:
  explicit Driver(FakeNccl& nccl) : nccl_(nccl), comm_(nccl.init(0xBE7C, 2, 0, "bench")) {
    for (int i = 0; i < kChannels; ++i) {
      channel_[static_cast<std::size_t>(i)].id = static_cast<std::uint8_t>(i);
    }
    what_.channels.assign(channel_.begin(), channel_.end());
  }
  ~Driver() { nccl_.finalize(comm_); }
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  Costs measure(int operations) {
    Costs costs;
    for (int i = 0; i < operations; ++i) one(costs);
    const double floor = clock_ns_a_reading();
    double all = 0;
    for (std::size_t p = 0; p < kPhases; ++p) {
      const double total = std::max(0.0, costs.ns[p] / operations - floor);
      all += total;
      costs.callbacks[p] /= static_cast<std::uint64_t>(operations);
      costs.ns[p] = total / static_cast<double>(std::max<std::uint64_t>(costs.callbacks[p], 1));
    }
    costs.all_reduce_us = all / 1000;
    return costs;
  }

 private:
  static double clock_ns_a_reading() {
    constexpr int kTimes = 10'000;
    const Clock::time_point begin = Clock::now();
    for (int i = 0; i < kTimes; ++i) static_cast<void>(Clock::now());
    return ns_since(begin) / kTimes;
  }

  template <class Work>
  void phase(std::size_t p, Costs& costs, Work&& work) {
    const std::uint64_t before = nccl_.callbacks();
    const Clock::time_point begin = Clock::now();
    work();
    costs.ns[p] += ns_since(begin);
    costs.callbacks[p] += nccl_.callbacks() - before;
  }

  void one(Costs& costs) {
    device_ns_ += 100'000;
    void* operation = nullptr;
    phase(0, costs, [&] {
      void* group = nccl_.begin_group(comm_);
      void* call = nccl_.begin_call(comm_, group, what_);
      operation = nccl_.begin_operation(comm_, call, what_);
      nccl_.stop(operation);
      nccl_.stop(call);
      nccl_.stop(group);
    });
    for (FakeNccl::Channel& c : channel_) c = {c.id, device_ns_, device_ns_ + 10'000};
    phase(1, costs, [&] {
      for (std::size_t i = 0; i < channel_.size(); ++i)
        handle_[i] = nccl_.begin_channel(comm_, operation, channel_[i]);
    });
    nccl::StateArguments arguments{};
    arguments.stop_ns = device_ns_ + 10'000;
    phase(2, costs, [&] {
      for (void* handle : handle_) nccl_.record(handle, nccl::kKernelChStop, &arguments);
    });
    phase(3, costs, [&] {
      for (void* handle : handle_) nccl_.stop(handle);
    });
  }

  FakeNccl& nccl_;
  FakeNccl::Comm comm_;
  FakeNccl::Collective what_;
  std::array<FakeNccl::Channel, kChannels> channel_{};
  std::array<void*, kChannels> handle_{};
  std::uint64_t device_ns_ = 1'700'000'000'000'000'000;
};

// A session of its own, which nobody needs afterwards.
class PrivateSession {
 public:
  PrivateSession() {
    char path[] = "/dev/shm/peerscope-bench-XXXXXX";
    if (mkdtemp(path) != nullptr) path_ = path;
    setenv("PEERSCOPE_RUNTIME_DIR", path_.c_str(), 1);
    setenv("PEERSCOPE_LEVEL", "detailed", 1);
    setenv("PEERSCOPE_OVERHEAD__BUDGET", "100 %", 1);
  }
  ~PrivateSession() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  PrivateSession(const PrivateSession&) = delete;
  PrivateSession& operator=(const PrivateSession&) = delete;

 private:
  std::string path_;
};

void print(const Costs& costs, const std::array<Spread, kPhases>& phases, const Spread& whole) {
  std::vector<std::vector<std::string>> rows{{"", "callbacks", "ns each", "least..most"}};
  for (std::size_t p = 0; p < kPhases; ++p) {
    rows.push_back({kNames[p], fmt::format("{}", costs.callbacks[p]),
                    fmt::format("{:.1f}", phases[p].median),
                    fmt::format("{:.1f}..{:.1f}", phases[p].least, phases[p].most)});
  }
  fmt::print("{}\nan all-reduce of {} channels, all its callbacks: {:.2f} us [{:.2f}..{:.2f}]\n",
             table(rows, 1, terminal_style()), kChannels, whole.median, whole.least, whole.most);
}

int bench_nccl_callback_main(Args& args) {
  std::string plugin;
  int rounds = 21;
  bool json = false;
  args.text("--plugin", plugin, "the library (default: the one that was built with this command)");
  args.integer("--rounds", rounds, 1, 10'000, "repetitions of 20,000 all-reduces");
  args.flag("--json", json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  if (plugin.empty()) plugin = source_libraries().nccl;
  if (plugin.empty()) {
    fmt::print(
        stderr,
        "peerscope bench nccl-callback: libpeerscope-nccl.so is not beside this command (../lib); "
        "name it with --plugin\n");
    return 2;
  }
  const PrivateSession session;
  Result<FakeNccl> nccl = FakeNccl::load(plugin, 5);
  if (!nccl) {
    fmt::print(stderr, "peerscope bench nccl-callback: {}\n", nccl.error().message);
    return 2;
  }
  constexpr int kOperations = 20'000;
  Driver driver(*nccl);
  driver.measure(kOperations);  // warm
  std::array<std::vector<double>, kPhases> ns;
  std::vector<double> us;
  Costs costs;
  for (int round = 0; round < rounds; ++round) {
    costs = driver.measure(kOperations);
    for (std::size_t p = 0; p < kPhases; ++p) ns[p].push_back(costs.ns[p]);
    us.push_back(costs.all_reduce_us);
  }
  std::array<Spread, kPhases> phases;
  double worst = 0;
  for (std::size_t p = 0; p < kPhases; ++p) {
    phases[p] = spread_of(ns[p]);
    worst = std::max(worst, phases[p].median);
  }
  const Spread whole = spread_of(us);
  if (json) {
    nlohmann::json out{
        {"callback_ns", worst}, {"all_reduce_24ch_us", whole.median}, {"rounds", rounds}};
    for (std::size_t p = 0; p < kPhases; ++p)
      out["by_callback"][kNames[p]] = {{"callbacks", costs.callbacks[p]},
                                       {"ns", phases[p].median},
                                       {"min", phases[p].least},
                                       {"max", phases[p].most}};
    fmt::print("{}\n", out.dump(2));
    return 0;
  }
  print(costs, phases, whole);
  return 0;
}

}  // namespace

const Command kBenchNcclCallbackCommand{
    {"bench nccl-callback", "what the NCCL plugin costs, callback by callback",
     "  peerscope bench nccl-callback\n"
     "  peerscope bench nccl-callback --json    callback_ns: the dearest sort of callback; "
     "all_reduce_24ch_us\n",
     ""},
    bench_nccl_callback_main};

}  // namespace peerscope

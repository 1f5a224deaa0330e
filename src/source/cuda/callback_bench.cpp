// cuda_callback_bench: what a copy between devices costs beside CUDA and CUPTI themselves: our two callbacks, behind a fake CUPTI.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include <dlfcn.h>

#include "source/cuda/fake_cupti.hpp"

namespace {

using namespace peerscope;
using namespace peerscope::cuda;
using Clock = std::chrono::steady_clock;

constexpr int kCopies = 200'000, kRounds = 21;

struct Case {
  const char* name;
  Domain domain;
  std::uint32_t id;
  const void* arguments;
};

// Without the fake's own bookkeeping: the callback itself, as CUPTI calls it.
double ns_per_callback(const FakeCupti& cupti, const Case& c) {
  int result = 0;
  std::uint64_t shared = 0;
  CallbackData data{};
  data.arguments = c.arguments;
  data.result = &result;
  data.shared = &shared;
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < kCopies; ++i) {
    data.correlation = static_cast<std::uint32_t>(i + 1);
    data.site = Site::enter;
    cupti.callback(nullptr, c.domain, c.id, &data);
    data.site = Site::exit;
    cupti.callback(nullptr, c.domain, c.id, &data);
  }
  const std::chrono::duration<double, std::nano> took = Clock::now() - begin;
  return took.count() / kCopies / 2;
}

int run() {
  FakeCupti& cupti = fake_cupti();
  int context_of[2] = {};
  cupti.contexts = {{&context_of[0], 0}, {&context_of[1], 1}};
  cupti.memory = {{1000, 0}, {2000, 1}};
  void* library = dlopen(PSCOPE_CUDA_LIBRARY, RTLD_NOW);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  reinterpret_cast<int (*)()>(dlsym(library, "InitializeInjection"))();
  if (cupti.callback == nullptr) return 2;
  const DevicePointer source = std::uint64_t{1000} << 21, destination = std::uint64_t{2000} << 21;
  const PeerArguments peer{destination, &context_of[1], source, &context_of[0], 65'536, nullptr};
  const PlainArguments between{destination, source, 65'536, nullptr};
  const PlainArguments within{source + 65'536, source, 65'536, nullptr};
  const RuntimePeerArguments runtime{nullptr, 1, nullptr, 0, 65'536, nullptr};
  const RuntimePlainArguments upload{nullptr, nullptr, 65'536, 1, nullptr};
  const Case cases[] = {
      {"cudaMemcpyPeerAsync", Domain::runtime, 161, &runtime},
      {"cuMemcpyPeerAsync", Domain::driver, 319, &peer},
      {"cuMemcpyDtoDAsync, between devices", Domain::driver, 281, &between},
      {"cuMemcpyDtoDAsync, within one", Domain::driver, 281, &within},
      {"cudaMemcpyAsync, from the host", Domain::runtime, 41, &upload},
  };
  std::printf("%-36s %8s %8s %8s\n", "ns per callback (two a copy)", "median", "least", "most");
  for (const Case& c : cases) {
    ns_per_callback(cupti, c);  // warm
    std::vector<double> ns;
    for (int round = 0; round < kRounds; ++round) ns.push_back(ns_per_callback(cupti, c));
    std::sort(ns.begin(), ns.end());
    std::printf("%-36s %8.1f %8.1f %8.1f\n", c.name, ns[kRounds / 2], ns.front(), ns.back());
  }
  return 0;
}

}  // namespace

int main() {
  char dir[] = "/dev/shm/peerscope-bench-XXXXXX";
  if (mkdtemp(dir) == nullptr) return 2;
  setenv("PEERSCOPE_RUNTIME_DIR", dir, 1);
  setenv("PEERSCOPE_CUPTI", PSCOPE_FAKE_CUPTI, 1);
  const int status = run();
  std::error_code ignored;
  std::filesystem::remove_all(dir, ignored);
  return status;
}

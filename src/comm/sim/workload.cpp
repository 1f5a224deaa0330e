#include "comm/sim/workload.hpp"

#include <algorithm>

namespace peerscope::sim {

std::vector<WorkStep> iteration_steps(const WorkloadOptions& options, int ranks,
                                      std::uint64_t iteration) {
  std::vector<WorkStep> steps;
  const auto collective = [&](Kind kind, std::uint64_t bytes, double compute_ns) {
    steps.push_back({StepType::collective, kind, bytes, compute_ns, 0});
  };
  for (int i = 0; i < options.prefill_layers; ++i)
    collective(Kind::all_reduce, options.prefill_bytes, options.prefill_compute_ns);
  if (options.large_every > 0 && iteration % static_cast<std::uint64_t>(options.large_every) == 0)
    collective(Kind::all_reduce, options.large_bytes, options.prefill_compute_ns);
  if (options.shard_bytes > 0) {
    collective(Kind::reduce_scatter, options.shard_bytes, options.prefill_compute_ns);
    collective(Kind::all_gather, options.shard_bytes, 0);
  }
  const int shifts = std::min(ranks - 1, options.most_exchanges);
  for (int i = 0; i < shifts; ++i) {
    const auto turn = iteration * static_cast<std::uint64_t>(shifts) + static_cast<unsigned>(i);
    const int shift = 1 + static_cast<int>(turn % static_cast<std::uint64_t>(ranks - 1));
    steps.push_back({StepType::exchange, Kind::send, options.exchange_bytes, 0, shift});
  }
  for (int i = 0; i < options.decode_layers; ++i)
    collective(Kind::all_reduce, options.decode_bytes, options.decode_compute_ns);
  return steps;
}

WorkloadOptions vary(const WorkloadOptions& options, Random random) {
  WorkloadOptions out = options;
  out.decode_bytes = std::uint64_t{8 << 10} << random.below(3);
  out.prefill_bytes = std::uint64_t{4 << 20} << random.below(3);
  out.shard_bytes = std::uint64_t{8 << 20} << random.below(2);
  out.exchange_bytes = std::uint64_t{4 << 20} << random.below(2);
  out.decode_compute_ns *= random.between(0.6, 1.5);
  out.prefill_compute_ns *= random.between(0.6, 1.5);
  out.decode_layers = 12 + random.below(9);
  out.paced = random.chance(0.5);
  return out;
}

std::vector<std::uint64_t> all_reduce_sizes(const WorkloadOptions& options) {
  std::vector<std::uint64_t> sizes;
  if (options.decode_layers > 0) sizes.push_back(options.decode_bytes);
  if (options.prefill_layers > 0) sizes.push_back(options.prefill_bytes);
  std::sort(sizes.begin(), sizes.end());
  return sizes;
}

}  // namespace peerscope::sim

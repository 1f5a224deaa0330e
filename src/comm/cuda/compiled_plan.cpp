#include "comm/cuda/compiled_plan.hpp"

#include <algorithm>

#include "comm/executor.hpp"

namespace peerscope::cuda {
namespace {

constexpr std::uint64_t kLineBytes = 12;  // of data, in a line of 16
constexpr std::uint64_t kLeastChunk = 16 << 10;
constexpr std::uint64_t kBytesPerBlock =
    8 << 10;  // below it one more block costs more than it brings

bool shares_a_channel(const Plan& plan, const Step& send, int rank) {
  return std::ranges::any_of(plan.steps, [&](const Step& other) {
    if (other.phase == Phase::send) return false;
    return std::ranges::any_of(other.targets, [&](int target) {
      return target != rank && std::ranges::find(send.targets, target) != send.targets.end();
    });
  });
}

// Whether what is written may be what is read: in place, or nearly.
bool ranges_overlap(const Call& call, std::uint64_t bytes, int ranks) {
  const auto input = reinterpret_cast<std::uintptr_t>(call.input),
             output = reinterpret_cast<std::uintptr_t>(call.output);
  const std::uint64_t in =
      input_is_one_block(call.kind) ? call.count * dtype_bytes(call.dtype) : bytes;
  const std::uint64_t out =
      output_is_one_block(call.kind) ? bytes / static_cast<std::uint64_t>(ranks) : bytes;
  return input < output + out && output < input + in;
}

}  // namespace

CompiledPlan compile(const Plan& plan, int rank) {
  CompiledPlan compiled;
  bool sends = false, rests = false, shares = false;
  for (const Step& step : plan.steps) {
    DeviceStep out{};
    out.block = step.block;
    out.finishes = step.finishes ? 1 : 0;
    out.phase = static_cast<std::uint8_t>(step.phase);
    for (const int source : step.sources)
      out.sources[out.source_count++] = static_cast<std::uint8_t>(source);
    for (const int target : step.targets)
      out.targets[out.target_count++] = static_cast<std::uint8_t>(target);
    compiled.steps.push_back(out);
    rests = rests || step.phase != Phase::send;
    if (step.phase != Phase::send) continue;
    sends = true;
    shares = shares || shares_a_channel(plan, step, rank) || step.sources != std::vector<int>{rank};
  }
  compiled.halves = sends && rests && !shares;
  // The kernel takes steps of the first phase before the others of a round.
  std::ranges::stable_sort(compiled.steps, {},
                           [](const DeviceStep& s) { return s.phase == 0 ? 0 : 1; });
  return compiled;
}

std::uint64_t pack_what(const Call& call, std::uint64_t bytes) {
  const auto field = [](auto value, int shift) {
    return static_cast<std::uint64_t>(value) << shift;
  };
  // A send and the receive that answers it are one operation.
  const Kind kind = call.kind == Kind::recv ? Kind::send : call.kind;
  const bool rooted = has_root(call.kind);
  return field(kind, 59) | field(call.dtype, 55) |
         field(is_reduction(call.kind) ? call.op : ReduceOp::sum, 53) | field(call.algorithm, 48) |
         field(rooted ? call.peer : 0, 42) | (bytes & ((std::uint64_t{1} << 42) - 1));
}

std::uint64_t low_latency_limit(const Layout& layout) {
  return std::uint64_t{layout.blocks} * kWarpsPerBlock * layout.lines_per_warp * kLineBytes;
}

Shape low_latency_shape(const Layout& layout, std::uint64_t bytes) {
  const std::uint64_t lines = (bytes + kLineBytes - 1) / kLineBytes;
  const std::uint64_t warps = std::max<std::uint64_t>((lines + kLanes - 1) / kLanes, 1);
  // Few warps a block: more multiprocessors store at once.
  const std::uint64_t each =
      std::clamp<std::uint64_t>((warps + layout.blocks - 1) / layout.blocks, 4, kWarpsPerBlock);
  const std::uint64_t blocks = std::min<std::uint64_t>((warps + each - 1) / each, layout.blocks);
  return {static_cast<std::uint32_t>(blocks),
          static_cast<std::uint32_t>(std::min(each, warps) * kLanes)};
}

Shape plan_shape(const Layout& layout, std::uint64_t bytes) {
  const std::uint64_t blocks =
      std::clamp<std::uint64_t>(bytes / kBytesPerBlock, 1, layout.plan_blocks);
  return {static_cast<std::uint32_t>(blocks), kPlanThreads};
}

std::uint32_t chunk_for(const Layout& layout, std::uint64_t bytes, std::uint32_t blocks) {
  const std::uint64_t half = align_up(bytes / blocks / 2, 128);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
      half, std::min<std::uint64_t>(kLeastChunk, layout.chunk_bytes), layout.chunk_bytes));
}

void fill(PlanArguments& out, const Call& call, int rank, int ranks) {
  Arguments& a = out.common;
  const std::uint64_t bytes = call_bytes(call, ranks);
  const std::uint64_t element = std::max<std::uint64_t>(dtype_bytes(call.dtype), 1);
  const std::uint64_t words =
      element / std::min<std::uint64_t>(element, 4);  // Kernels::find: of i64 two i32
  a.rank = static_cast<std::uint32_t>(rank);
  a.ranks = static_cast<std::uint32_t>(ranks);
  a.input = static_cast<const std::byte*>(call.input);
  a.output = static_cast<std::byte*>(call.output);
  a.elements = bytes / element * words;
  a.what = pack_what(call, bytes);
  a.collective = is_collective(call.kind) ? 1 : 0;
  a.input_is_block = input_is_one_block(call.kind) ? 1 : 0;
  a.output_is_block = output_is_one_block(call.kind) ? 1 : 0;
  a.divisor =
      call.op == ReduceOp::avg && is_reduction(call.kind) ? static_cast<std::uint32_t>(ranks) : 1;
  a.overlaps = ranges_overlap(call, bytes, ranks) ? 1 : 0;
  Blocks blocks;
  blocks.split(bytes / element, call.counts, ranks);
  for (int block = 0; block < ranks; ++block) out.begins[block] = blocks.begin(block) * words;
  out.begins[ranks] = a.elements;
}

}  // namespace peerscope::cuda

#include "source/nccl/governor.hpp"

#include "source/nccl/abi.hpp"
#include "source/nccl/communicator.hpp"

namespace peerscope::nccl {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr unsigned kWindowBits = 22;  // 4 million ticks: 1 to 2 ms
// What channels cost while they are measured: 30 to 70 % of small collectives. The budget's share of time divided by it.
constexpr double kCostOfWindow = 0.6;
constexpr unsigned kComprehensive = 4;  // times the budget at level comprehensive
constexpr unsigned kMostPeriodBits = kWindowBits + 12;
constexpr std::uint64_t kOneOperation = std::uint64_t{1} << 18;  // ticks: some 100 µs
constexpr std::uint64_t kAfterCapture = std::uint64_t{1} << 31;  // about a second
constexpr std::uint32_t kEnoughSamples = 32;

constinit std::atomic<int*> g_mask{nullptr};
constinit std::atomic<const int*> g_chained{nullptr};
constinit std::atomic<int> g_version{0};
constinit std::atomic<std::uint32_t> g_level{UINT32_MAX};
constinit std::atomic<bool> g_open{false};
constinit std::atomic<std::uint64_t> g_change{0};      // ticks: when the window opens or closes
constinit std::atomic<std::uint64_t> g_not_before{0};  // ticks: no window until then

struct Class {
  std::atomic<std::uint64_t> key{0};
  std::atomic<std::uint32_t> samples{0};
  std::atomic<std::uint32_t> next{0};  // which class came after it the last time, + 1
};
constexpr std::uint32_t kClasses = 1024;
constinit Class g_classes[kClasses];
constinit std::atomic<std::uint32_t> g_last_class{0};              // + 1
constinit std::atomic<std::uint64_t> g_next_extra{0};              // ticks
constinit std::atomic<std::uint64_t> g_extra_gap{UINT64_MAX / 4};  // ticks between two of them

constinit std::atomic<bool> g_wants_tasks{false}, g_wants_peers{false};

int mask_for(std::uint32_t level, bool channels) {
  const int version = g_version.load(kRelaxed);
  const int* chained = g_chained.load(kRelaxed);
  int mask = chained != nullptr ? __atomic_load_n(chained, __ATOMIC_RELAXED) : 0;
  // At level off something must still come, or nobody would notice when it is on again.
  if (level == PSCOPE_LEVEL_OFF) return mask | static_cast<int>(version >= 5 ? kGroupApi : kGroup);
  if (version < 5 || channels || g_wants_tasks.load(kRelaxed)) {
    mask |= static_cast<int>(kColl | kP2p);
  } else {
    const bool peers = level >= PSCOPE_LEVEL_DETAILED && g_wants_peers.load(kRelaxed);
    mask |= static_cast<int>(kCollApi | (peers ? kP2p : kP2pApi));
  }
  if (channels && version >= 4) mask |= static_cast<int>(kKernelCh);
  return mask;
}

void write_mask() {
  int* mask = g_mask.load(std::memory_order_acquire);
  if (mask == nullptr) return;
  __atomic_store_n(mask, mask_for(g_level.load(kRelaxed), g_open.load(kRelaxed)), __ATOMIC_RELAXED);
}

std::uint64_t budget_ppm() {
  const Recorder* session = recorder();
  return session == nullptr ? 0
                            : session->segment.header().control.detail_budget_ppm.load(kRelaxed);
}

bool is_exact() { return budget_ppm() >= 1'000'000; }

// Windows come once in 2^bits ticks. 0: always open.
unsigned period_bits(std::uint32_t level) {
  if (is_exact()) return 0;
  const std::uint64_t ppm = budget_ppm();
  const std::uint64_t share = ppm * (level >= PSCOPE_LEVEL_COMPREHENSIVE ? kComprehensive : 1);
  unsigned bits = kWindowBits + 1;
  while (bits < kMostPeriodBits &&
         static_cast<double>(share) *
                 static_cast<double>(std::uint64_t{1} << (bits - kWindowBits)) <
             1e6 * kCostOfWindow)
    ++bits;
  return bits;
}

std::uint64_t mix(std::uint64_t x) {
  x *= 0x9E37'79B9'7F4A'7C15u;
  return x ^ x >> 29;
}

// Where in its period a window begins: another place each time, so that no rhythm of the program hides anything.
std::uint64_t window_of(std::uint64_t period, unsigned bits) {
  const std::uint64_t room = (std::uint64_t{1} << bits) - (std::uint64_t{1} << kWindowBits);
  return (period << bits) + mix(period) % room;
}

void plan(std::uint64_t now, std::uint32_t level) {
  const bool may =
      level >= PSCOPE_LEVEL_DETAILED && g_version.load(kRelaxed) >= 4 && budget_ppm() > 0;
  const unsigned bits = may ? period_bits(level) : 0;
  g_extra_gap.store(bits == 0 ? UINT64_MAX / 4 : kOneOperation << (bits - kWindowBits), kRelaxed);
  if (bits == 0) {
    g_open.store(may, kRelaxed);
    g_change.store(now + (std::uint64_t{1} << 26), kRelaxed);  // look again: the budget may change
    return;
  }
  std::uint64_t begin = window_of(now >> bits, bits);
  const std::uint64_t end = begin + (std::uint64_t{1} << kWindowBits);
  if (now >= end) begin = window_of((now >> bits) + 1, bits);
  const bool open = now >= begin && now < end && now >= g_not_before.load(kRelaxed);
  g_open.store(open, kRelaxed);
  g_change.store(now >= begin ? end : begin, kRelaxed);
}

// One thread at a time; the others need not wait.
constinit std::atomic_flag g_planning = ATOMIC_FLAG_INIT;
void plan_alone(std::uint64_t now) {
  if (g_planning.test_and_set(std::memory_order_acquire)) return;
  plan(now, g_level.load(kRelaxed));
  write_mask();
  g_planning.clear(std::memory_order_release);
}

Class* class_of(std::uint64_t key, std::uint32_t& index) {
  index = static_cast<std::uint32_t>(mix(key) >> 40) % kClasses;
  for (int i = 0; i < 8; ++i, index = (index + 1) % kClasses) {
    Class& c = g_classes[index];
    std::uint64_t seen = c.key.load(kRelaxed);
    if (seen == key) return &c;
    if (seen == 0 && c.key.compare_exchange_strong(seen, key, kRelaxed)) return &c;
    if (seen == key) return &c;
  }
  return nullptr;
}

}  // namespace

void attach_mask(int* mask, int version) {
  g_version.store(version, kRelaxed);
  g_mask.store(mask, std::memory_order_release);
  g_level.store(level_now(), kRelaxed);
  g_open.store(false, kRelaxed);
  g_wants_tasks.store(true, kRelaxed);  // nothing is known yet
  g_change.store(0, kRelaxed);
  if (is_exact()) plan(0, g_level.load(kRelaxed));  // from the first operation on
  write_mask();
}

void set_chained_mask(const int* mask) {
  g_chained.store(mask, kRelaxed);
  write_mask();
}

void follow_level() {
  const std::uint32_t level = level_now();
  if (__builtin_expect(level == g_level.load(kRelaxed), 1)) return;
  g_level.store(level, kRelaxed);
  g_change.store(0, kRelaxed);
  if (level < PSCOPE_LEVEL_DETAILED) g_open.store(false, kRelaxed);
  write_mask();
}

void follow_time(std::uint64_t now_ticks) {
  if (__builtin_expect(now_ticks >= g_change.load(kRelaxed), 0)) plan_alone(now_ticks);
}

void avoid_capture(std::uint64_t now_ticks) {
  g_not_before.store(now_ticks + kAfterCapture, kRelaxed);
  if (!g_open.load(kRelaxed) || is_exact()) return;
  g_open.store(false, kRelaxed);
  write_mask();
}

void note_class(std::uint64_t key, bool sampled, std::uint64_t now_ticks) {
  std::uint32_t index = 0;
  Class* c = class_of(key, index);
  if (c == nullptr) return;
  if (sampled) c->samples.store(c->samples.load(kRelaxed) + 1, kRelaxed);
  const std::uint32_t last = g_last_class.load(kRelaxed);
  if (last != index + 1) {
    if (last != 0 && g_classes[last - 1].next.load(kRelaxed) != index + 1)
      g_classes[last - 1].next.store(index + 1, kRelaxed);
    g_last_class.store(index + 1, kRelaxed);
  }
  const std::uint32_t next = c->next.load(kRelaxed);
  if (next == 0 || g_classes[next - 1].samples.load(kRelaxed) >= kEnoughSamples) return;
  if (g_open.load(kRelaxed) || now_ticks < g_next_extra.load(kRelaxed) ||
      now_ticks < g_not_before.load(kRelaxed) || g_level.load(kRelaxed) < PSCOPE_LEVEL_DETAILED ||
      g_version.load(kRelaxed) < 4)
    return;
  // Together they take no more of the time than windows do.
  g_next_extra.store(now_ticks + g_extra_gap.load(kRelaxed), kRelaxed);
  g_open.store(true, kRelaxed);
  g_change.store(now_ticks + kOneOperation, kRelaxed);
  write_mask();
}

bool measures_channels() { return g_open.load(kRelaxed); }

bool tells_tasks(bool p2p) {
  const int* mask = g_mask.load(std::memory_order_acquire);
  const std::uint64_t wanted = kProxyOp | kKernelCh | (p2p ? kP2p : kColl);
  return mask != nullptr &&
         (static_cast<std::uint64_t>(__atomic_load_n(mask, __ATOMIC_RELAXED)) & wanted) != 0;
}

void want_tasks() {
  if (!g_wants_tasks.exchange(true, kRelaxed)) write_mask();
}

void tasks_are_told() {
  if (!g_wants_tasks.load(kRelaxed)) return;
  g_wants_tasks.store(false, kRelaxed);
  write_mask();
}

void want_peers() {
  if (!g_wants_peers.load(kRelaxed) && !g_wants_peers.exchange(true, kRelaxed)) write_mask();
}

}  // namespace peerscope::nccl

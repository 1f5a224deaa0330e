#include "collect/control.hpp"

#include <algorithm>
#include <charconv>

namespace peerscope {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

std::optional<std::uint64_t> parse_id(const std::string& text) {
  const bool hex = text.rfind("0x", 0) == 0;
  const char* end = text.data() + text.size();
  std::uint64_t id = 0;
  const auto [rest, failure] = std::from_chars(text.data() + (hex ? 2 : 0), end, id, hex ? 16 : 10);
  return failure == std::errc{} && rest == end ? std::optional(id) : std::nullopt;
}

// The filter that is in force, with the change.
ControlState merged(ControlState state, const ControlChange& change, const SegmentView& segment) {
  state.kinds = change.kinds.value_or(state.kinds);
  state.min_bytes = change.min_bytes.value_or(state.min_bytes);
  state.max_bytes = change.max_bytes.value_or(state.max_bytes);
  state.devices = change.devices.value_or(state.devices);
  if (change.pass_without_device)
    state.flags = *change.pass_without_device ? kPassWithoutDevice : 0;
  if (change.communicators) state.comms = resolve(*change.communicators, segment);
  state.filtered = state.kinds != 0 || state.min_bytes != 0 || state.max_bytes != 0 ||
                   state.devices != 0 || state.comms.count != 0;
  return state;
}

// See Control: nobody uses a filter that is half written.
void write_filter(const ControlState& state, Control& control) {
  control.filtered.store(0, kRelaxed);
  std::atomic_thread_fence(std::memory_order_release);  // orders the 0 before the fields
  control.kinds.store(state.kinds, kRelaxed);
  control.min_bytes.store(state.min_bytes, kRelaxed);
  control.max_bytes.store(state.max_bytes, kRelaxed);
  control.devices.store(state.devices, kRelaxed);
  control.flags.store(state.flags, kRelaxed);
  for (std::uint32_t i = 0; i < kMaxFilterComms; ++i)
    control.comms[i].store(state.comms.ids[i], kRelaxed);
  control.comm_count.store(state.comms.count, kRelaxed);
  control.filtered.store(state.filtered ? 1 : 0,
                         std::memory_order_release);  // publishes the fields
}

}  // namespace

bool ControlState::same_filter(const ControlState& other) const {
  ControlState with_other = other;
  with_other.level = level;
  with_other.detail_budget_ppm = detail_budget_ppm;
  return *this == with_other;
}

ControlState control_of(const SegmentView& segment) {
  const Control& control = segment.header().control;
  ControlState state;
  state.level = static_cast<Level>(
      std::min<std::uint32_t>(control.level.load(kRelaxed), PSCOPE_LEVEL_COMPREHENSIVE));
  state.detail_budget_ppm = control.detail_budget_ppm.load(kRelaxed);
  state.filtered = control.filtered.load(std::memory_order_acquire) != 0;  // then its fields
  if (!state.filtered) return state;
  state.kinds = control.kinds.load(kRelaxed);
  state.flags = control.flags.load(kRelaxed);
  state.min_bytes = control.min_bytes.load(kRelaxed);
  state.max_bytes = control.max_bytes.load(kRelaxed);
  state.devices = control.devices.load(kRelaxed);
  state.comms.count = std::min(control.comm_count.load(kRelaxed), kMaxFilterComms);
  for (std::uint32_t i = 0; i < state.comms.count; ++i)
    state.comms.ids[i] = control.comms[i].load(kRelaxed);
  return state;
}

CommFilter resolve(const std::vector<std::string>& communicators, const SegmentView& segment) {
  CommFilter filter;
  const auto add = [&](std::uint64_t id) {
    auto* const end = filter.ids.begin() + filter.count;
    if (id == 0 || filter.count >= kMaxFilterComms || std::find(filter.ids.begin(), end, id) != end)
      return;
    filter.ids[filter.count++] = id;
  };
  for (const std::string& wanted : communicators) {
    bool named = false;
    for (std::uint16_t i = 1; i < kMaxComms; ++i) {
      const auto comm = segment.comm(i);
      if (!comm) break;
      if (comm->name != wanted) continue;
      named = true;
      add(comm->id);
    }
    if (const auto id = parse_id(wanted); !named && id) add(*id);
  }
  if (filter.count == 0 && !communicators.empty()) filter.count = 1;  // id 0 matches nothing
  return filter;
}

bool apply(const ControlChange& change, const SegmentView& segment) {
  if (!segment.writable()) return false;
  Control& control = segment.writable_header().control;
  if (change.changes_filter()) write_filter(merged(control_of(segment), change, segment), control);
  if (change.detail_budget_ppm)
    control.detail_budget_ppm.store(*change.detail_budget_ppm, kRelaxed);
  if (change.level) control.level.store(static_cast<std::uint32_t>(*change.level), kRelaxed);
  if (!change.empty())
    segment.writable_header().control_changes.fetch_add(1, std::memory_order_release);  // after all
  return true;
}

}  // namespace peerscope

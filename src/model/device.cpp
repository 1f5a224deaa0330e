#include "model/device.hpp"

namespace peerscope {
namespace {

struct ClockReason {
  std::uint64_t bit;
  const char* name;
  bool slows;
};

constexpr ClockReason kReasons[] = {
    {0x001, "gpu_idle", false},           {0x002, "application_clocks", false},
    {0x004, "sw_power_cap", true},        {0x008, "hw_slowdown", true},
    {0x010, "sync_boost", false},         {0x020, "sw_thermal_slowdown", true},
    {0x040, "hw_thermal_slowdown", true}, {0x080, "hw_power_brake", true},
    {0x100, "display_clocks", false},
};

}  // namespace

std::vector<std::string> clock_reason_names(std::uint64_t reasons) {
  std::vector<std::string> names;
  for (const ClockReason& reason : kReasons) {
    if ((reasons & reason.bit) != 0) names.emplace_back(reason.name);
    reasons &= ~reason.bit;
  }
  for (std::uint64_t bit = 1; reasons != 0; bit <<= 1) {  // newer than this table
    if ((reasons & bit) == 0) continue;
    names.push_back("bit_" + std::to_string(__builtin_ctzll(bit)));
    reasons &= ~bit;
  }
  return names;
}

std::uint64_t slowing_clock_reasons(std::uint64_t reasons) {
  std::uint64_t slowing = 0;
  for (const ClockReason& reason : kReasons) {
    if (reason.slows) slowing |= reasons & reason.bit;
  }
  return slowing;
}

std::optional<std::uint64_t> total_errors(const DeviceReading& device,
                                          std::optional<std::uint64_t> LinkErrors::* kind) {
  std::optional<std::uint64_t> sum;
  for (const LinkReading& link : device.links) {
    if (link.errors.*kind) sum = sum.value_or(0) + *(link.errors.*kind);
  }
  return sum;
}

}  // namespace peerscope

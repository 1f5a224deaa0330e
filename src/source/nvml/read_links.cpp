// NVLink: which links there are, where they go, what they have carried, and what went wrong on them.
#include <array>

#include "source/nvml/gpu.hpp"
#include "source/nvml/pci_sysfs.hpp"

namespace peerscope::nvml {
namespace {

constexpr double kMega = 1e6;
constexpr std::uint64_t kKibi = 1024;

constexpr std::array kLinkFields = {
    kLinkDataTx,   kLinkDataRx,    kLinkRawTx,    kLinkRawRx,     kLinkSpeed,         kLinkReplay,
    kLinkRecovery, kLinkXmitBytes, kLinkRcvBytes, kLinkRcvErrors, kLinkRecoveryEvents};
using LinkFields = std::array<FieldValue, kLinkFields.size()>;

const FieldValue& field(const LinkFields& fields, Field id) {
  std::size_t at = 0;
  while (kLinkFields[at] != id) ++at;
  return fields[at];
}

std::uint64_t number_of(const FieldValue& field) {
  switch (field.value_type) {
    case kDouble:
      return field.value.d > 0 ? static_cast<std::uint64_t>(field.value.d) : 0;
    case kUnsignedInt:
      return field.value.u;
    case kSignedInt:
      return static_cast<std::uint64_t>(field.value.i);
    case kUnsignedShort:
      return field.value.us;
    default:
      return field.value.ull;
  }
}

std::optional<std::uint64_t> number(const FieldValue& field) {
  if (field.code != kSuccess) return std::nullopt;
  return number_of(field);
}

std::optional<Counter> counter(const FieldValue& field, std::uint64_t unit) {
  if (field.code != kSuccess) return std::nullopt;
  const bool narrow = field.value_type == kUnsignedInt || field.value_type == kSignedInt;
  return Counter{number_of(field) * unit, narrow ? (std::uint64_t{1} << 32) * unit : 0};
}

LinkFields ask_fields(const Api& api, Device device, unsigned link) {
  LinkFields fields{};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    fields[i].field = kLinkFields[i];
    fields[i].scope = link;
    fields[i].code = kNoData;  // a library that skips one does not say that it is 0
  }
  const Code code = api.field_values == nullptr
                        ? kFunctionNotFound
                        : api.field_values(device, static_cast<int>(fields.size()), fields.data());
  if (code != kSuccess) {
    for (FieldValue& value : fields) value.code = code;
  }
  return fields;
}

// A counter of bytes: NVLink 4 and before have it in KiB, NVLink 5 may have only the other.
std::optional<Counter> bytes(const LinkFields& fields, Field kib, Field plain) {
  const auto older = counter(field(fields, kib), kKibi);
  const auto newer = counter(field(fields, plain), 1);
  return older && (older->value != 0 || !newer) ? older : newer;
}

void take_fields(const LinkFields& fields, DeviceReading& reading, LinkReading& link) {
  link.tx = bytes(fields, kLinkDataTx, kLinkXmitBytes);
  link.rx = bytes(fields, kLinkDataRx, kLinkRcvBytes);
  link.raw_tx = counter(field(fields, kLinkRawTx), kKibi);
  link.raw_rx = counter(field(fields, kLinkRawRx), kKibi);
  if (const auto speed = number(field(fields, kLinkSpeed)); speed && *speed > 0)
    link.speed_bytes_per_s = static_cast<double>(*speed) * kMega;
  const auto absent = [&](const char* metric, Field id) {
    note_absent(reading, metric,
                fmt::format("nvmlDeviceGetFieldValues, field {}: {}", static_cast<unsigned>(id),
                            reason(field(fields, id).code)));
  };
  if (!link.tx) absent("nvlink_tx_bytes", kLinkDataTx);
  if (!link.rx) absent("nvlink_rx_bytes", kLinkDataRx);
  if (!link.raw_tx) absent("nvlink_raw_tx_bytes", kLinkRawTx);
  if (!link.raw_rx) absent("nvlink_raw_rx_bytes", kLinkRawRx);
  if (!link.speed_bytes_per_s) absent("nvlink_speed", kLinkSpeed);
}

void read_errors(const Api& api, Device device, const LinkFields& fields, DeviceReading& reading,
                 LinkReading& link) {
  const auto count = [&](const char* metric, unsigned kind, std::optional<Field> instead = {},
                         std::optional<Field> newest = {}) -> std::optional<std::uint64_t> {
    unsigned long long value = 0;
    const Code code = api.link_errors == nullptr ? kFunctionNotFound
                                                 : api.link_errors(device, link.link, kind, &value);
    if (code == kSuccess) return value;
    for (const auto& other : {instead, newest}) {
      if (other && field(fields, *other).code == kSuccess) return number(field(fields, *other));
    }
    note_absent(reading, metric, "nvmlDeviceGetNvLinkErrorCounter", code);
    return std::nullopt;
  };
  LinkErrors& errors = link.errors;
  errors.replay = count("nvlink_replay", kErrorReplay, kLinkReplay);
  errors.recovery = count("nvlink_recovery", kErrorRecovery, kLinkRecovery, kLinkRecoveryEvents);
  errors.crc_flit = count("nvlink_crc_flit", kErrorCrcFlit);
  errors.crc_data = count("nvlink_crc_data", kErrorCrcData);
  errors.ecc_data = count("nvlink_ecc_data", kErrorEccData);
  errors.receive = number(field(fields, kLinkRcvErrors));
}

const char* type_name(unsigned type) {
  return type == 0 ? "gpu" : type == 1 ? "npu" : type == 2 ? "switch" : "";
}

// Where the link goes: asked once it is active, as it does not change.
void read_remote(const Api& api, Device device, DeviceReading& reading, LinkReading& link) {
  if (const auto pci = ask<PciInfo>(reading, "nvlink_remote", "nvmlDeviceGetNvLinkRemotePciInfo_v2",
                                    api.link_remote_pci, device, link.link)) {
    link.remote_pci_bus_id = kernel_bus_id({pci->bus_id, strnlen(pci->bus_id, sizeof pci->bus_id)});
  }
  if (const auto type =
          ask<unsigned>(reading, "nvlink_remote_type", "nvmlDeviceGetNvLinkRemoteDeviceType",
                        api.link_remote_type, device, link.link))
    link.remote_type = type_name(*type);
  link.version = ask<unsigned>(reading, "nvlink_version", "nvmlDeviceGetNvLinkVersion",
                               api.link_version, device, link.link);
}

std::optional<std::uint64_t> ask_one_field(const Api& api, Device device, Field id) {
  FieldValue value{};
  value.field = id;
  value.code = kNoData;
  if (api.field_values == nullptr || api.field_values(device, 1, &value) != kSuccess)
    return std::nullopt;
  return number(value);
}

LinkReading& fixed_link(DeviceReading& fixed, unsigned number) {
  for (LinkReading& link : fixed.links) {
    if (link.link == number) return link;
  }
  fixed.links.emplace_back().link = number;
  return fixed.links.back();
}

}  // namespace

void read_links(const Api& api, Gpu& gpu, DeviceReading& reading) {
  const auto count = ask_one_field(api, gpu.handle, kLinkCount);
  const auto most =
      static_cast<unsigned>(std::min<std::uint64_t>(count.value_or(kLinksMax), kLinksMax));
  const auto common_speed = ask_one_field(api, gpu.handle, kLinkSpeedCommon);
  reading.links.clear();
  for (unsigned number = 0; number < most; ++number) {
    unsigned state = 0;
    const Code code =
        api.link_state == nullptr ? kFunctionNotFound : api.link_state(gpu.handle, number, &state);
    if (code != kSuccess) {
      if (number == 0) note_absent(reading, "nvlink", "nvmlDeviceGetNvLinkState", code);
      if (count) continue;
      break;  // nobody says how many there are: none after this one
    }
    LinkReading& fixed = fixed_link(gpu.fixed, number);
    if (state == 1 && !fixed.version && fixed.remote_pci_bus_id.empty())
      read_remote(api, gpu.handle, reading, fixed);
    LinkReading link = fixed;
    link.active = state == 1;
    if (*link.active) {
      const LinkFields fields = ask_fields(api, gpu.handle, number);
      take_fields(fields, reading, link);
      if (!link.speed_bytes_per_s && common_speed && *common_speed > 0)
        link.speed_bytes_per_s = static_cast<double>(*common_speed) * kMega;
      read_errors(api, gpu.handle, fields, reading, link);
    }
    reading.links.push_back(std::move(link));
  }
}

}  // namespace peerscope::nvml

#include "source/nvml/pci_sysfs.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace peerscope::nvml {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<unsigned> width_of(const std::string& text) {
  const long width = std::strtol(text.c_str(), nullptr, 10);
  if (width < 1 || width > 32) return std::nullopt;  // 255: the kernel does not know
  return static_cast<unsigned>(width);
}

PciLimits limits_of(const fs::path& device) {
  return {generation_of(first_line(device / "max_link_speed")),
          width_of(first_line(device / "max_link_width"))};
}

}  // namespace

std::optional<unsigned> generation_of(const std::string& speed) {
  const double gts = std::strtod(speed.c_str(), nullptr);
  constexpr double kSpeeds[] = {2.5, 5, 8, 16, 32, 64, 128};
  for (unsigned i = 0; i < std::size(kSpeeds); ++i) {
    if (gts == kSpeeds[i]) return i + 1;
  }
  return std::nullopt;
}

std::string kernel_bus_id(const std::string& bus_id) {
  std::string id = bus_id;
  if (const std::size_t colon = id.find(':'); colon == 8) id.erase(0, 4);
  std::transform(id.begin(), id.end(), id.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return id;
}

PciPlace pci_place(const std::string& root, const std::string& bus_id) {
  PciPlace place;
  if (bus_id.empty()) return place;
  std::error_code error;
  const fs::path device = fs::canonical(root + "/bus/pci/devices/" + kernel_bus_id(bus_id), error);
  if (error) return place;
  const std::string node = first_line(device / "numa_node");
  if (!node.empty() && std::atoi(node.c_str()) >= 0) place.numa_node = std::atoi(node.c_str());
  place.cpus = first_line(device / "local_cpulist");
  place.device = limits_of(device);
  place.slot = limits_of(device.parent_path());  // a root complex has no such files: unknown
  return place;
}

}  // namespace peerscope::nvml

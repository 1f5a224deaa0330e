// NVML as peerscope sees it, without a GPU: for tests, linked in or as a libnvidia-ml.so.1 of its own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "source/nvml/api.hpp"

namespace peerscope::nvml {

struct FakeLink {
  bool active = true;
  std::uint64_t tx_kib = 0, rx_kib = 0;
  std::uint64_t step_kib = 0;  // that both rise by at each look
  bool narrow = false;         // counters of 32 bits
  std::array<std::uint64_t, 5> errors{};
};

struct FakeGpu {
  std::string name = "Fake GPU";
  std::vector<FakeLink> links = std::vector<FakeLink>(2);
  unsigned generation = 5, width = 16, max_generation = 5, max_width = 16;
  unsigned long long clock_reasons = 1;  // idle
  bool lost = false;
};

struct FakeNvml {
  Code init = kSuccess;
  bool hang = false;
  std::vector<FakeGpu> gpus = std::vector<FakeGpu>(2);
  Code fields = kSuccess;     // of each field of a link
  Code questions = kSuccess;  // of all that is asked of a device beyond its name and links
  bool gpm = true;
  Code gpm_pcie = kSuccess;  // of its PCIe metrics
  bool remotes = true;       // says what is at the other end of a link
  double gpm_mib = 1000.0;   // a link and direction; in all: times the links
  std::vector<std::pair<unsigned, unsigned long long>>
      xids;                                   // device, number: taken by the next wait
  int inits = 0, shutdowns = 0, samples = 0;  // that are open
};

FakeNvml& fake_nvml();  // what the functions below answer from
Api fake_api();

}  // namespace peerscope::nvml

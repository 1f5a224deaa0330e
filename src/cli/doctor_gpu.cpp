// What NVIDIA's side has to bring: NCCL, CUDA's injection and CUPTI, the driver, NVML.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/doctor_checks.hpp"

namespace peerscope {

Check built(const DoctorHost& host, const char* source, const char* library, const char* does) {
  Check check{source, "library", CheckState::ok, "", "", {}};
  const std::string path = host.lib_dir + "/" + library;
  check.facts = {{"path", path}};
  if (exists(host, path)) {
    check.sentence = fmt::format("{} is there: {}", path, does);
    return check;
  }
  check.state = CheckState::missing;
  check.sentence = fmt::format("{} was not built or not installed", path);
  check.action = "Build all of peerscope: ./dev build; or install it with its lib folder";
  return check;
}

Check nccl_plugin(const DoctorHost& host) {
  return built(host, "nccl", "libpeerscope-nccl.so", "NCCL's profiler interfaces v1 to v7");
}

namespace {

std::string nccl_in_words(const DoctorHost& host, const FoundLibrary& library, int& interface) {
  const std::string version = nccl_version_in(host, library.path);
  interface = profiler_interface_of(version);
  if (interface < 0) return fmt::format("{} (version unknown)", library.path);
  if (interface == 0)
    return fmt::format("{} (NCCL {}: has no profiler interface)", library.path, version);
  return fmt::format("{} (NCCL {}: asks for interface v{}, {})", library.path, version, interface,
                     interface >= 4 ? "with device times" : "without device times");
}

// One of the libraries that programs will find; returns its interface.
int tell(const DoctorHost& host, const char* who, const std::vector<FoundLibrary>& found,
         Check& check) {
  if (found.empty()) return -2;
  int interface = 0;
  const std::string words = nccl_in_words(host, found[0], interface);
  check.sentence +=
      fmt::format("{}{} {} {} by {}", check.sentence.empty() ? "" : "; ", who,
                  who == std::string_view("python3") ? "takes" : "take", words, found[0].how);
  const std::string key = who == std::string_view("python3") ? "python" : "other";
  check.facts.emplace_back(key + "_path", found[0].path);
  check.facts.emplace_back(key + "_version", nccl_version_in(host, found[0].path));
  check.facts.emplace_back(key + "_interface", interface < 0 ? "" : std::to_string(interface));
  return interface;
}

}  // namespace

// Which libnccl.so.2 programs will find: PyTorch's wheels bring their own, others take the linker's.
Check nccl_library(const DoctorHost& host) {
  Check check{"nccl", "libnccl.so.2", CheckState::ok, "", "", {}};
  const int python =
      tell(host, "python3",
           find_in_python(host, {"nvidia/nccl/lib/libnccl.so.2", "nvidia/cu13/lib/libnccl.so.2"}),
           check);
  const int others = tell(host, "other programs",
                          find_library(host, "libnccl.so.2", {"/usr/local/cuda/lib64"}), check);
  const int best = std::max(python, others);
  if (best == -2) {
    check.state = CheckState::missing;
    check.sentence = "no libnccl.so.2: not in python3's wheels, LD_LIBRARY_PATH or ldconfig's list";
    check.action = "Nothing, where programs bring it with them; else: pip install nvidia-nccl-cu13";
  } else if (best == 0) {
    check.state = CheckState::blocked;
    check.action = "Use NCCL 2.27.3 or newer: that is from where device times exist";
  } else if (best == -1) {
    check.state = CheckState::unknown;
  }
  return check;
}

Check nccl_environment(const DoctorHost& host) {
  Check check{"nccl", "NCCL_PROFILER_PLUGIN", CheckState::ok, "", "", {}};
  const std::string value = host.environment("NCCL_PROFILER_PLUGIN");
  check.facts = {{"value", value}};
  if (value.empty()) {
    check.sentence = "NCCL_PROFILER_PLUGIN is not set: peerscope run sets it";
  } else if (value == "none") {
    check.state = CheckState::blocked;
    check.sentence = "NCCL_PROFILER_PLUGIN is none: NCCL takes no plugin";
    check.action = "unset NCCL_PROFILER_PLUGIN";
  } else if (value.find("libpeerscope-nccl") != std::string::npos) {
    check.sentence = "NCCL_PROFILER_PLUGIN is ours: programs started from here record";
  } else {
    check.sentence =
        fmt::format("NCCL_PROFILER_PLUGIN is {}: peerscope run takes that plugin along", value);
  }
  return check;
}

Check cuda_library(const DoctorHost& host) {
  return built(host, "cuda", "libpeerscope-cuda.so", "copies and kernels, by CUPTI");
}

Check cuda_environment(const DoctorHost& host) {
  Check check{"cuda", "CUDA_INJECTION64_PATH", CheckState::ok, "", "", {}};
  const std::string value = host.environment("CUDA_INJECTION64_PATH");
  check.facts = {{"value", value}};
  if (value.empty()) {
    check.sentence =
        "CUDA_INJECTION64_PATH is not set: peerscope run sets it with source.cuda = true";
  } else if (value.find("libpeerscope-cuda") != std::string::npos) {
    check.sentence = "CUDA_INJECTION64_PATH is ours: programs started from here record";
  } else {
    check.state = CheckState::blocked;
    check.sentence = fmt::format("CUDA_INJECTION64_PATH is {}: CUDA loads one library only", value);
    check.action = "unset CUDA_INJECTION64_PATH, where that tool is not needed at the same time";
  }
  return check;
}

Check cupti(const DoctorHost& host) {
  Check check{"cuda", "libcupti", CheckState::ok, "", "", {}};
  for (const char* name : {"libcupti.so.13", "libcupti.so.12"}) {
    std::vector<FoundLibrary> found = find_in_python(
        host,
        {fmt::format("nvidia/cu13/lib/{}", name), fmt::format("nvidia/cuda_cupti/lib/{}", name)});
    for (const FoundLibrary& more :
         find_library(host, name, {"/usr/local/cuda/extras/CUPTI/lib64", "/usr/local/cuda/lib64"}))
      found.push_back(more);
    if (found.empty()) continue;
    check.sentence = fmt::format("{} by {}", found[0].path, found[0].how);
    check.facts = {{"path", found[0].path}};
    return check;
  }
  check.state = CheckState::missing;
  check.sentence =
      "no libcupti.so.13 or .12: not in python3's wheels, the CUDA toolkit or ldconfig's list";
  check.action =
      "pip install nvidia-cuda-cupti (for CUDA 12: nvidia-cuda-cupti-cu12), or install the CUDA "
      "toolkit";
  return check;
}

Check driver(const DoctorHost& host) {
  Check check{"cuda", "driver", CheckState::ok, "", "", {}};
  const auto library =
      find_library(host, "libcuda.so.1", {"/usr/local/nvidia/lib64", "/usr/lib/wsl/lib"});
  const std::string version = driver_version_of(text_of(host, "/proc/driver/nvidia/version"));
  check.facts = {{"version", version}, {"path", library.empty() ? "" : library[0].path}};
  if (version.empty() && library.empty()) {
    check.state = CheckState::missing;
    check.sentence = "no NVIDIA driver: neither /proc/driver/nvidia/version nor libcuda.so.1";
    check.action = "Nothing on a machine without GPUs; else install the driver";
  } else if (library.empty()) {
    check.state = CheckState::blocked;
    check.sentence = fmt::format("the kernel has driver {}, and there is no libcuda.so.1", version);
    check.action =
        "In a container: start it with GPUs (docker run --gpus all); else install the driver's "
        "libraries";
  } else if (version.empty()) {
    check.state = CheckState::blocked;
    check.sentence =
        fmt::format("{} is there, and the kernel has no NVIDIA driver loaded", library[0].path);
    check.action = "Load it: modprobe nvidia; see: dmesg | grep NVRM";
  } else {
    check.sentence = fmt::format("driver {}, {}", version, library[0].path);
  }
  return check;
}

Check device_nodes(const DoctorHost& host) {
  Check check{"cuda", "device nodes", CheckState::ok, "", "", {}};
  std::vector<std::string> all, shut;
  for (const std::string& name : names_in(host, "/dev")) {
    const bool gpu = name.rfind("nvidia", 0) == 0 && name.size() > 6 &&
                     name.find_first_not_of("0123456789", 6) == std::string::npos;
    if (!gpu && name != "nvidiactl" && name != "nvidia-uvm") continue;
    all.push_back("/dev/" + name);
    if (!readable(host, all.back()) || !writable(host, all.back())) shut.push_back(all.back());
  }
  check.facts = {{"nodes", fmt::format("{}", fmt::join(all, " "))}};
  const auto has = [&](const char* node) {
    return std::find(all.begin(), all.end(), node) != all.end();
  };
  if (!shut.empty()) {
    check.state = CheckState::blocked;
    check.sentence = fmt::format("uid {} may not open {}", host.uid, fmt::join(shut, ", "));
    check.action = "Join the group that owns them, or set NVreg_DeviceFileMode=0666 for the driver";
  } else if (!has("/dev/nvidiactl") || all.size() < 2) {
    check.state = CheckState::missing;
    check.sentence = "no device nodes of NVIDIA's (/dev/nvidiactl, /dev/nvidia0)";
    check.action =
        "Nothing on a machine without GPUs; in a container: docker run --gpus all; else: "
        "nvidia-modprobe -c0 -u";
  } else if (!has("/dev/nvidia-uvm")) {
    check.state = CheckState::missing;
    check.sentence = fmt::format(
        "{}; /dev/nvidia-uvm is missing, without which CUDA does not start", fmt::join(all, " "));
    check.action = "nvidia-modprobe -c0 -u";
  } else {
    check.sentence = fmt::format("{}", fmt::join(all, " "));
  }
  return check;
}

Check nvml(const DoctorHost& host) {
  Check check{"nvml", "libnvidia-ml.so.1", CheckState::ok, "", "", {}};
  const auto found =
      find_library(host, "libnvidia-ml.so.1", {"/usr/local/nvidia/lib64", "/usr/lib/wsl/lib"});
  if (!found.empty()) {
    check.sentence = fmt::format("{} by {}", found[0].path, found[0].how);
    check.facts = {{"path", found[0].path}};
    if (exists(host, "/dev/nvidiactl")) return check;
    check.state = CheckState::blocked;
    check.sentence += ", and no /dev/nvidiactl to ask the driver through";
    check.action =
        "In a container: docker run --gpus all (NVIDIA_DRIVER_CAPABILITIES with utility)";
    return check;
  }
  check.state = CheckState::missing;
  check.sentence =
      "no libnvidia-ml.so.1: counters of links, errors, clocks and temperatures are not there";
  check.action =
      "It comes with the driver; in a container: NVIDIA_DRIVER_CAPABILITIES=compute,utility";
  return check;
}

}  // namespace peerscope

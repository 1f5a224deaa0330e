// What `doctor sources` says of machines that are made up: a file tree, an environment, a port.
#include "cli/doctor_sources.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source/exllama/fake_for_test.hpp"

namespace peerscope {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// A directory that looks like a machine.
class Machine : public testing::Test {
 protected:
  Machine() : root_("/tmp/peerscope-doctor-XXXXXX") {
    if (mkdtemp(root_.data()) == nullptr) std::abort();
    host_.root = root_;
    host_.lib_dir = "/opt/peerscope/lib";
    host_.uid = 1000;
    host_.environment = [this](const char* name) { return environment_[name]; };
    host_.linker_cache = [this] { return cache_; };
    host_.python_path = [this] { return python_; };
    host_.space = [this](const std::string&) { return std::optional(space_); };
    host_.ask_ras = [this](const std::string& host, int port) {
      asked_ = fmt::format("{} {}", host, port);
      return answer_;
    };
    make("/tmp/x", "");
  }
  ~Machine() override { std::filesystem::remove_all(root_); }

  void make(const std::string& path, const std::string& text) const {
    const std::filesystem::path at = root_ + path;
    std::filesystem::create_directories(at.parent_path());
    std::ofstream(at) << text;
  }
  [[nodiscard]] Check check(const std::string& source, const std::string& name) const {
    for (const Check& one : check_sources(host_)) {
      if (one.source == source && one.name == name) return one;
    }
    ADD_FAILURE() << "no check " << source << " " << name;
    return {};
  }
  [[nodiscard]] CheckState state(const std::string& source) const {
    for (const auto& [name, state] : states_of(check_sources(host_))) {
      if (name == source) return state;
    }
    ADD_FAILURE() << "no source " << source;
    return CheckState::unknown;
  }
  [[nodiscard]] static std::string fact(const Check& check, const std::string& key) {
    for (const auto& [name, value] : check.facts) {
      if (name == key) return value;
    }
    return "(none)";
  }
  // A machine as one would wish it.
  void make_all() {
    for (const char* name : {"libpeerscope.so.1", "libpeerscope-nccl.so", "libpeerscope-cuda.so"})
      make(host_.lib_dir + "/" + name, "");
    make("/dev/shm/x", "");
    make("/site/nvidia/nccl/lib/libnccl.so.2",
         std::string("\x7f"
                     "ELF\0NCCL version detected\0NCCL version 2.28.9+cuda13.0\0",
                     56));
    make("/site/nvidia/cu13/lib/libcupti.so.13", "");
    python_ = {"/usr/lib/python3.12", "/site"};
    for (const char* node : {"nvidiactl", "nvidia0", "nvidia1", "nvidia-uvm", "nvidia-modeset"})
      make(std::string("/dev/") + node, "");
    make("/lib/x86_64-linux-gnu/libcuda.so.1", "");
    make("/lib/x86_64-linux-gnu/libnvidia-ml.so.1", "");
    make("/proc/driver/nvidia/version",
         "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\n"
         "GCC version:  gcc version 13.3.0\n");
    for (const int i : {0, 1}) {
      const std::string at = fmt::format("/sys/bus/pci/devices/0000:0{}:00.0", i);
      make(at + "/vendor", "0x10de\n");
      make(at + "/class", "0x030200\n");
      make(at + "/current_link_speed", "32.0 GT/s PCIe\n");
    }
    make("/proc/mounts", "proc /proc proc rw 0 0\n");
    answer_ = Answer::ras;
  }

  std::string root_;
  DoctorHost host_;
  std::map<std::string, std::string> environment_;
  std::vector<std::string> cache_, python_;
  std::pair<std::uint64_t, std::uint64_t> space_{64ull << 30, 60ull << 30};
  Answer answer_ = Answer::refused;
  std::string asked_;
};

TEST_F(Machine, WithAllOfItNothingIsToBeDone) {
  make_all();
  exllama::FakeContext context(root_ + "/dev/shm", exllama::newest());
  for (const Check& one : check_sources(host_)) {
    EXPECT_EQ(one.state, CheckState::ok) << one.source << " " << one.name << ": " << one.sentence;
    EXPECT_EQ(one.action, "") << one.name;
    EXPECT_NE(one.sentence, "");
    EXPECT_EQ(one.sentence.find(root_), std::string::npos) << one.sentence;
  }
  const Check nccl = check("nccl", "libnccl.so.2");
  EXPECT_EQ(fact(nccl, "python_version"), "2.28.9");
  EXPECT_EQ(fact(nccl, "python_interface"), "5");
  EXPECT_THAT(nccl.sentence, AllOf(HasSubstr("/site/nvidia/nccl/lib/libnccl.so.2"),
                                   HasSubstr("interface v5, with device times")));
  EXPECT_EQ(fact(check("cuda", "driver"), "version"), "580.95.05");
  EXPECT_EQ(fact(check("cuda", "device nodes"), "nodes"),
            "/dev/nvidia-uvm /dev/nvidia0 /dev/nvidia1 /dev/nvidiactl");
  EXPECT_EQ(asked_, "localhost 28028");
}

TEST_F(Machine, WithNothingEachSourceSaysWhatIsMissingAndWhatToDo) {
  for (const char* source : {"nccl", "cuda", "nvml", "ras", "exllama"})
    EXPECT_EQ(state(source), CheckState::missing) << source;
  EXPECT_EQ(state("sysfs"), CheckState::blocked);
  for (const Check& one : check_sources(host_)) {
    EXPECT_EQ(one.state == CheckState::ok, one.action.empty()) << one.name << ": " << one.sentence;
  }
  EXPECT_THAT(check("recorder", "runtime directory").sentence, HasSubstr("/tmp/peerscope-1000"));
  EXPECT_THAT(check("recorder", "shared memory").sentence, HasSubstr("no /dev/shm"));
}

TEST_F(Machine, LibrariesAreFoundAsTheLinkerFindsThem) {
  make("/cache/libnccl.so.2", "NCCL version 2.26.5+cuda12.4");
  cache_ = {"1 libs found", "\tlibnccl.so.2.x (libc6,x86-64) => /wrong/libnccl.so.2.x",
            "\tlibnccl.so.2 (libc6,x86-64) => /cache/libnccl.so.2"};
  Check nccl = check("nccl", "libnccl.so.2");
  EXPECT_EQ(fact(nccl, "other_path"), "/cache/libnccl.so.2");
  EXPECT_EQ(fact(nccl, "other_version"), "2.26.5");
  EXPECT_EQ(fact(nccl, "other_interface"), "3");
  EXPECT_THAT(nccl.sentence, AllOf(HasSubstr("without device times"), HasSubstr("by ldconfig")));
  make("/mine/libnccl.so.2", "NCCL version 2.31.2");
  environment_["LD_LIBRARY_PATH"] = "/nowhere:/mine";
  nccl = check("nccl", "libnccl.so.2");
  EXPECT_EQ(fact(nccl, "other_path"), "/mine/libnccl.so.2");
  EXPECT_EQ(fact(nccl, "other_interface"), "7");
  EXPECT_THAT(nccl.sentence, HasSubstr("by LD_LIBRARY_PATH"));
}

TEST_F(Machine, AnNcclThatIsTooOldOrHasNoVersionIsNotOk) {
  python_ = {"/site"};
  make("/site/nvidia/nccl/lib/libnccl.so.2", "NCCL version 2.21.5+cuda12.4");
  EXPECT_EQ(check("nccl", "libnccl.so.2").state, CheckState::blocked);
  EXPECT_THAT(check("nccl", "libnccl.so.2").action, HasSubstr("2.27.3"));
  make("/site/nvidia/nccl/lib/libnccl.so.2", "NCCL version mismatch");
  EXPECT_EQ(check("nccl", "libnccl.so.2").state, CheckState::unknown);
  make("/site/nvidia/nccl/lib/libnccl.so.2", "");
  EXPECT_EQ(check("nccl", "libnccl.so.2").state, CheckState::unknown);
}

TEST(Doctor, KnowsWhichInterfaceEachNcclAsksFor) {
  const std::pair<const char*, int> table[] = {
      {"2.22.3", 0}, {"2.23.4", 1}, {"2.24.3", 2}, {"2.26.2", 3}, {"2.27.3", 4},
      {"2.27.7", 4}, {"2.28.3", 5}, {"2.28.9", 5}, {"2.29.2", 6}, {"2.30.7", 6},
      {"2.31.2", 7}, {"3.0.0", 7},  {"", -1},      {"x", -1}};
  for (const auto& [version, interface] : table)
    EXPECT_EQ(profiler_interface_of(version), interface) << version;
}

TEST(Doctor, ReadsTheDriversVersion) {
  EXPECT_EQ(driver_version_of("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun"),
            "535.183.01");
  EXPECT_EQ(driver_version_of("nothing of the kind\n1.2"), "");
  EXPECT_EQ(driver_version_of(""), "");
}

TEST_F(Machine, VariablesThatStandInTheWayAreNamed) {
  make_all();
  environment_["NCCL_PROFILER_PLUGIN"] = "none";
  EXPECT_EQ(state("nccl"), CheckState::blocked);
  EXPECT_EQ(check("nccl", "NCCL_PROFILER_PLUGIN").action, "unset NCCL_PROFILER_PLUGIN");
  environment_["NCCL_PROFILER_PLUGIN"] = "inspector";  // goes along
  EXPECT_EQ(state("nccl"), CheckState::ok);
  EXPECT_THAT(check("nccl", "NCCL_PROFILER_PLUGIN").sentence, HasSubstr("takes that plugin along"));
  environment_["CUDA_INJECTION64_PATH"] = "/opt/nsight.so";
  EXPECT_EQ(state("cuda"), CheckState::blocked);
  EXPECT_THAT(check("cuda", "CUDA_INJECTION64_PATH").sentence, HasSubstr("/opt/nsight.so"));
  environment_["CUDA_INJECTION64_PATH"] = "/p/libpeerscope-cuda.so";
  EXPECT_EQ(state("cuda"), CheckState::ok);
}

TEST_F(Machine, AContainerWithoutItsGpusIsToldApartFromAMachineWithoutADriver) {
  make("/proc/driver/nvidia/version", "NVRM version: NVIDIA Kernel Module  580.95.05  x\n");
  EXPECT_EQ(check("cuda", "driver").state, CheckState::blocked);
  EXPECT_THAT(check("cuda", "driver").action, HasSubstr("--gpus all"));
  make("/usr/lib64/libnvidia-ml.so.1", "");
  EXPECT_EQ(check("nvml", "libnvidia-ml.so.1").state, CheckState::blocked);
  std::filesystem::remove_all(root_ + "/proc/driver");
  make("/usr/lib64/libcuda.so.1", "");
  EXPECT_THAT(check("cuda", "driver").action, HasSubstr("modprobe nvidia"));
  make("/dev/nvidiactl", "");
  make("/dev/nvidia0", "");
  EXPECT_THAT(check("cuda", "device nodes").sentence, HasSubstr("/dev/nvidia-uvm is missing"));
}

TEST_F(Machine, RasSaysWhoAnswers) {
  EXPECT_THAT(check("ras", "port").sentence, StartsWith("nobody answers at localhost:28028"));
  answer_ = Answer::other;
  EXPECT_EQ(state("ras"), CheckState::blocked);
  answer_ = Answer::silent;
  EXPECT_EQ(state("ras"), CheckState::unknown);
  environment_["NCCL_RAS_ADDR"] = "[::1]:3000";
  answer_ = Answer::ras;
  EXPECT_EQ(state("ras"), CheckState::ok);
  EXPECT_EQ(asked_, "::1 3000");
  environment_["NCCL_RAS_ENABLE"] = "0";
  answer_ = Answer::refused;
  EXPECT_EQ(state("ras"), CheckState::blocked);
}

TEST_F(Machine, SharedMemoryThatIsFullOrSmall) {
  make("/dev/shm/x", "");
  space_ = {64 << 20, 60 << 20};  // as Docker makes it
  Check shm = check("recorder", "shared memory");
  EXPECT_EQ(shm.state, CheckState::ok);
  EXPECT_THAT(shm.action, HasSubstr("--shm-size"));
  space_ = {64 << 20, 4096};
  shm = check("recorder", "shared memory");
  EXPECT_EQ(shm.state, CheckState::blocked);
  EXPECT_EQ(fact(shm, "free_bytes"), "4096");
}

TEST_F(Machine, AnExllamaContextThatIsNotKnownIsSaid) {
  make("/dev/shm/x", "");
  exllama::FakeContext context(root_ + "/dev/shm", exllama::newest());
  std::filesystem::resize_file(context.path(), 4096);
  EXPECT_EQ(state("exllama"), CheckState::blocked);
  EXPECT_THAT(check("exllama", "contexts").sentence, HasSubstr("4096 bytes"));
}

TEST_F(Machine, HiddenProcessesAreSaidAndBlockNothing) {
  make_all();
  make("/proc/mounts", "proc /proc proc rw,hidepid=invisible 0 0\n");
  EXPECT_EQ(check("sysfs", "/proc").state, CheckState::ok);
  EXPECT_THAT(check("sysfs", "/proc").sentence, HasSubstr("hidepid"));
}

// A service that reads a line and answers `words` ("": says nothing for a second).
class Service {
 public:
  explicit Service(std::string words) : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener_, 1) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      std::abort();
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, words = std::move(words)] {
      const int peer = accept(listener_, nullptr, nullptr);
      char line[64];
      heard_ = std::string(
          line, static_cast<std::size_t>(std::max<ssize_t>(recv(peer, line, sizeof line, 0), 0)));
      if (!words.empty()) send(peer, words.data(), words.size(), MSG_NOSIGNAL);
      if (words.empty()) recv(peer, line, sizeof line, 0);  // until the other hangs up
      close(peer);
    });
  }
  ~Service() {
    if (thread_.joinable()) thread_.join();
    close(listener_);
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  [[nodiscard]] int port() const { return port_; }
  std::string heard() {
    thread_.join();
    return heard_;
  }

 private:
  int listener_, port_ = 0;
  std::string heard_;
  std::thread thread_;
};

TEST(Doctor, AsksAPortAsNcclsClientDoes) {
  const DoctorHost host = this_host_for_doctor();
  int closed = 0;
  {
    Service ras("SERVER PROTOCOL 2\n");
    closed = ras.port();
    EXPECT_EQ(host.ask_ras("127.0.0.1", ras.port()), Answer::ras);
    EXPECT_EQ(ras.heard(), "CLIENT PROTOCOL 2\n");
  }
  EXPECT_EQ(host.ask_ras("127.0.0.1", closed), Answer::refused);
  EXPECT_EQ(host.ask_ras("no.such.host.invalid", 1), Answer::refused);
  Service web("HTTP/1.1 400 Bad Request\r\n");
  EXPECT_EQ(host.ask_ras("127.0.0.1", web.port()), Answer::other);
  Service mute("");
  EXPECT_EQ(host.ask_ras("127.0.0.1", mute.port()), Answer::silent);
}

TEST(Doctor, TheCommandSucceedsWhateverIsMissing) {
  const auto run = [](const std::string& arguments, std::string& out) {
    FILE* pipe = popen(fmt::format("{} doctor {} 2>&1", PSCOPE_BINARY, arguments).c_str(), "r");
    char buffer[4096];
    for (std::size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
      out.append(buffer, got);
    return WEXITSTATUS(pclose(pipe));
  };
  std::string text, json_text, bad;
  EXPECT_EQ(run("sources", text), 0);
  EXPECT_THAT(text, HasSubstr("Can be attached here: "));
  ASSERT_EQ(run("sources --json", json_text), 0);
  const auto out = nlohmann::json::parse(json_text);
  EXPECT_EQ(out["sources"]["recorder"], "ok") << json_text;
  EXPECT_EQ(out["sources"].size(), 7u);
  for (const auto& check : out["checks"]) {
    EXPECT_TRUE(check["sentence"].is_string());
    EXPECT_TRUE(check["facts"].is_object());
  }
  EXPECT_EQ(run("sources --nonsense", bad), 2);
  EXPECT_EQ(run("nonsense", bad), 2);
}

}  // namespace
}  // namespace peerscope

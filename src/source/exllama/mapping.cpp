#include "source/exllama/mapping.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

#include <unistd.h>

namespace peerscope::exllama {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// A line of maps: "7f..-7f.. rw-s 00000000 00:19 INODE   PATH", with " (deleted)" once it is removed.
bool maps(const std::string& text, const std::string& path, std::uint64_t inode) {
  const std::string number = " " + std::to_string(inode) + " ";
  std::size_t at = 0;
  while ((at = text.find(path, at)) != std::string::npos) {
    const std::size_t line = text.rfind('\n', at) + 1;
    const char after = at + path.size() < text.size() ? text[at + path.size()] : '\n';
    if ((after == '\n' || after == ' ') && text.find(number, line) < at) return true;
    at += path.size();
  }
  return false;
}

// "pid (name) state ppid ... starttime(22) ...": the name may have spaces and brackets.
void read_stat(const std::string& dir, std::int64_t boot_s, Mapper& out) {
  const auto text = text_of(dir + "/stat");
  if (!text) return;
  const std::size_t open = text->find('(');
  const std::size_t close = text->rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return;
  out.process = text->substr(open + 1, close - open - 1);
  std::istringstream rest(text->substr(close + 1));
  std::string word;
  for (int field = 3; rest >> word; ++field) {
    if (field == 4) std::from_chars(word.data(), word.data() + word.size(), out.parent);
    if (field != 22) continue;
    std::int64_t ticks = 0;
    std::from_chars(word.data(), word.data() + word.size(), ticks);
    if (boot_s > 0) out.started_s = boot_s + ticks / sysconf(_SC_CLK_TCK);
    return;
  }
}

std::int64_t boot_time_s(const std::string& proc) {
  const std::string text = text_of(proc + "/stat").value_or("");
  const std::size_t at = text.find("btime ");
  return at == std::string::npos ? 0 : std::atoll(text.c_str() + at + 6);
}

struct Devices {
  bool readable = false, control = false;
  std::set<int> numbers;
};

Devices open_devices(const std::string& dir) {
  Devices devices;
  std::error_code failure;
  fs::directory_iterator at(dir + "/fd", failure);
  devices.readable = !failure;
  for (const fs::directory_iterator end; !failure && at != end; at.increment(failure)) {
    std::error_code gone;
    const std::string target = fs::read_symlink(at->path(), gone).string();
    if (target.rfind("/dev/nvidia", 0) != 0) continue;
    devices.control = true;
    const std::string tail = target.substr(11);
    int number = -1;
    if (!tail.empty() && std::isdigit(static_cast<unsigned char>(tail[0])) != 0 &&
        std::from_chars(tail.data(), tail.data() + tail.size(), number).ec == std::errc())
      devices.numbers.insert(number);
  }
  return devices;
}

std::string session_of(const std::string& dir) {
  const std::string text = std::string(1, '\0') + text_of(dir + "/environ").value_or("");
  const std::string key = std::string(1, '\0') + "PEERSCOPE_SESSION=";
  const std::size_t at = text.find(key);
  return at == std::string::npos
             ? ""
             : text.substr(at + key.size(), text.find('\0', at + key.size()) - at - key.size());
}

// The main process is the parent of the others; the one that adds up has no GPU open.
void assign_roles(std::vector<Mapper>& all, const std::vector<Devices>& devices) {
  const auto any_device = [](const Devices& d) { return d.control; };
  const bool gpus = std::any_of(devices.begin(), devices.end(), any_device);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool is_parent = std::any_of(
        all.begin(), all.end(), [&](const Mapper& other) { return other.parent == all[i].pid; });
    const bool is_child = std::any_of(
        all.begin(), all.end(), [&](const Mapper& other) { return all[i].parent == other.pid; });
    if (is_parent) all[i].role = Role::main;
    if (is_child && gpus && devices[i].readable)
      all[i].role = devices[i].control ? Role::worker : Role::cpu_helper;
    if (devices[i].numbers.size() == 1) all[i].gpu = *devices[i].numbers.begin();
  }
}

}  // namespace

const char* name(Role role) {
  constexpr const char* kNames[] = {"unknown", "main", "worker", "cpu_helper"};
  return kNames[static_cast<int>(role)];
}

Mappers who_maps(const std::string& path, std::uint64_t inode, const std::string& proc) {
  Mappers out;
  const std::int64_t boot_s = boot_time_s(proc);
  std::error_code failure;
  for (fs::directory_iterator at(proc, failure), end; !failure && at != end;
       at.increment(failure)) {
    const std::string number = at->path().filename().string();
    std::uint32_t pid = 0;
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), pid);
    if (parsed.ec != std::errc() || parsed.ptr != number.data() + number.size()) continue;
    const auto text = text_of(at->path().string() + "/maps");
    std::error_code gone;
    if (!text && fs::exists(at->path(), gone)) ++out.unreadable;  // else it has ended meanwhile
    if (!text || !maps(*text, path, inode)) continue;
    Mapper mapper;
    mapper.pid = pid;
    read_stat(at->path().string(), boot_s, mapper);
    mapper.session = session_of(at->path().string());
    out.processes.push_back(std::move(mapper));
  }
  std::sort(out.processes.begin(), out.processes.end(), [](const Mapper& a, const Mapper& b) {
    return std::pair(a.started_s, a.pid) < std::pair(b.started_s, b.pid);
  });
  std::vector<Devices> devices;
  for (const Mapper& mapper : out.processes)
    devices.push_back(open_devices(proc + "/" + std::to_string(mapper.pid)));
  assign_roles(out.processes, devices);
  return out;
}

}  // namespace peerscope::exllama

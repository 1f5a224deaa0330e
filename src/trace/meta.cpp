#include "trace/meta.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace peerscope {

const TraceComm* TraceMeta::comm(std::uint64_t id) const {
  const auto found = std::find_if(communicators.begin(), communicators.end(),
                                  [id](const TraceComm& c) { return c.id == id; });
  return found != communicators.end() ? &*found : nullptr;
}

std::string TraceMeta::comm_name(std::uint64_t id) const {
  if (id == 0) return {};
  const TraceComm* known = comm(id);
  return known != nullptr && !known->name.empty() ? known->name : fmt::format("{:#x}", id);
}

const TraceProcess* TraceMeta::process(std::uint32_t index) const {
  const auto found = std::find_if(processes.begin(), processes.end(),
                                  [index](const TraceProcess& p) { return p.index == index; });
  return found != processes.end() ? &*found : nullptr;
}

std::string_view TraceMeta::name(std::uint32_t process, std::uint16_t id) const {
  const auto found = std::find_if(names.begin(), names.end(), [&](const TraceName& n) {
    return n.process == process && n.id == id;
  });
  return found != names.end() ? std::string_view(found->text) : std::string_view();
}

}  // namespace peerscope

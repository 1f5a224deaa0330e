#include "cli/profile_open.hpp"

#include <fmt/format.h>

#include "cli/select.hpp"
#include "cli/trace_files.hpp"
#include "config/quantity.hpp"
#include "session/settings.hpp"

namespace peerscope {

Result<OpenedSource> open_profile_source(const std::string& wanted, const Config& config) {
  OpenedSource opened;
  opened.monitor = monitor_options(config);
  if (names_a_file(wanted)) {
    auto trace = TraceReader::open(wanted);
    if (!trace) return trace.error();
    opened.trace = std::make_unique<TraceReader>(std::move(*trace));
    opened.source = profile_source(*opened.trace);
    return opened;
  }
  Result<std::vector<std::string>> sessions = select_sessions(wanted);
  if (!sessions) return sessions.error();
  opened.monitor.collect.sessions = std::move(*sessions);
  opened.source = profile_source(opened.monitor);
  return opened;
}

Result<std::optional<double>> read_seconds(const char* option, const std::string& text) {
  if (text.empty()) return std::optional<double>();
  const bool back = text.front() == '-';
  const auto ns = parse_duration(back ? text.substr(1) : text, "s");
  if (!ns || *ns < 0)
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("{} {}: write seconds since the first operation, such as 1.5 or 200ms; "
                    "-2 is 2 s before the last ({}=-2)",
                    option, text, option)};
  return std::optional<double>(back ? -*ns / 1e9 : *ns / 1e9);
}

}  // namespace peerscope

// The profile of a session or of a window of time.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "analyze/profile/profiler.hpp"
#include "base/result.hpp"
#include "session/profile_source.hpp"

namespace peerscope {

// Times in seconds since the first operation that is known of; negative ones are counted back from the last.
struct ProfileRequest {
  std::string name;  // of a session; "": a window
  std::optional<double> from_s, to_s;
};

struct Profiled {
  ProfileReport report;
  Profiler profiler;  // for its samples
};

// The error says what there is instead of what was asked for.
Result<Profiled> profile(ProfileSource& source, const ProfileRequest& request,
                         const AggregatorOptions& options,
                         const std::function<void(std::uint64_t)>& progress = {});

// Everything that happens in live sessions from now on, for `seconds` or until `stop` says so.
Result<Profiled> profile_from_now(const MonitorOptions& options, double seconds,
                                  const std::function<bool()>& stop);

}  // namespace peerscope

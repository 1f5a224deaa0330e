// Where a profile's operations come from: a trace file, or the rings of processes that run, have ended or were killed. Both
// can be read more than once: first for the marks of sessions, then for the operations in them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "analyze/profile/report.hpp"
#include "analyze/profile/spans.hpp"
#include "base/result.hpp"
#include "session/monitor.hpp"
#include "trace/reader.hpp"

namespace peerscope {

struct ProfileSurvey {
  std::vector<ProfileSession> sessions;
  std::int64_t first_ns = 0,
               last_ns = -1;  // begin of the first and of the last operation; last < first: none
  std::vector<std::uint32_t> sessions_of;  // number of the recording session of each process
};

class ProfileSource {
 public:
  using OpsCallback = std::function<void(std::span<const Op>)>;

  virtual ~ProfileSource() = default;
  virtual Result<ProfileSurvey> survey() = 0;
  // All operations that begin in [from, to), and device times of them: perhaps more. `callback` may be called often.
  virtual Status read(std::int64_t from_ns, std::int64_t to_ns, const OpsCallback& callback) = 0;
  // Names, call sites between these times, pools, links, and what is missing.
  virtual void add_facts(std::int64_t from_ns, std::int64_t to_ns, ProfileReport& report) = 0;
  [[nodiscard]] virtual std::string name() const = 0;  // "run.pscope", "demo-4711"
};

// `trace` outlives it.
std::unique_ptr<ProfileSource> profile_source(const TraceReader& trace);
std::unique_ptr<ProfileSource> profile_source(const MonitorOptions& options);

}  // namespace peerscope

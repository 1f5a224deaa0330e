#include "analyze/alert/notices.hpp"

#include <algorithm>
#include <optional>

namespace peerscope {

std::vector<Notice> Notices::plan(std::span<const Alert> alerts, std::int64_t now_ns) {
  now_ns_ = std::max(now_ns_, now_ns);
  std::vector<Notice> out;
  std::map<std::string, Told> still;
  for (const Alert& alert : alerts) {
    const auto found = told_.find(alert.id);
    const bool was_told = found != told_.end();
    if (alert.state == AlertState::resolved && was_told)
      out.push_back({alert, NoticeReason::resolved});
    if (alert.state != AlertState::firing) continue;
    if (is_quiet(alert)) {
      if (was_told) still.insert(*found);
      continue;
    }
    Told told = was_told ? found->second : Told{};
    std::optional<NoticeReason> reason;
    if (!was_told)
      reason = NoticeReason::fired;
    else if (alert.severity > told.severity)
      reason = NoticeReason::worse;
    else if (options_.repeat_ns > 0 && now_ns_ - told.said_ns >= options_.repeat_ns)
      reason = NoticeReason::repeated;
    else if (now_ns_ - told.refreshed_ns >= options_.refresh_ns)
      reason = NoticeReason::refresh;
    if (reason) {
      told.refreshed_ns = now_ns_;
      if (*reason != NoticeReason::refresh) {
        told.said_ns = now_ns_;
        told.severity = alert.severity;
      }
      out.push_back({alert, *reason});
    }
    still.emplace(alert.id, told);
  }
  told_ = std::move(still);
  return out;
}

}  // namespace peerscope

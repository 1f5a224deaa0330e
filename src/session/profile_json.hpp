// Profiles and comparisons as JSON. Times are in ns since the first operation unless they say otherwise, unknown figures
// are null, never 0.
#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "analyze/profile/compare.hpp"
#include "analyze/profile/report.hpp"
#include "session/profile_source.hpp"

namespace peerscope {

nlohmann::json to_json(const ProfileReport& report);
nlohmann::json to_json(const ProfileSurvey& survey);
nlohmann::json to_json(const ProfileComparison& comparison);

}  // namespace peerscope

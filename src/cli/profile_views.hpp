// How a profile and a comparison read: on a terminal and as one HTML file.
#pragma once

#include <string>

#include "analyze/profile/compare.hpp"
#include "analyze/profile/report.hpp"
#include "cli/render.hpp"
#include "session/profile_source.hpp"

namespace peerscope {

std::string profile_text(const ProfileReport& report, const Style& style);
std::string survey_text(const ProfileSurvey& survey, const std::string& source, const Style& style);
std::string comparison_text(const ProfileComparison& comparison, const Style& style);

std::string profile_html(const ProfileReport& report);
std::string comparison_html(const ProfileComparison& comparison);

// Shared by both.
std::string profile_heading(const ProfileReport& report);  // "decode · 3 spans · 1.2 s"
std::string communicator_name(const ProfileReport& report, std::uint64_t id);
std::string exposed_text(const ProfileReport& report);  // "100 % exposed (host)"
std::string period_text(const Periodicity& period);
std::string verdict_line(const ProfileComparison& comparison);  // "a is faster in 3 of 5, ..."
std::string median_text(const CompareGroup& group);             // "13.1 µs (12.9 µs–13.3 µs)"

}  // namespace peerscope

// What the run has marked, in detail, and compared.
#include <deque>

#include <fmt/format.h>

#include "http/api/parameters.hpp"
#include "http/api/resources.hpp"
#include "session/profile.hpp"
#include "session/profile_json.hpp"
#include "session/settings.hpp"

namespace peerscope::http {

using nlohmann::json;

namespace {

// Seconds since the first operation, as a profile counts.
double seconds(const ProfileSurvey& survey, std::int64_t monotonic_ns) {
  return static_cast<double>(monotonic_ns - survey.first_ns) / 1e9;
}

AggregatorOptions aggregator_options(const Api& api) {
  return monitor_options(*api.config->now()).aggregate;
}

}  // namespace

Response get_profiles(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  const Store* store = api.served->store();
  if (store == nullptr) return no_history();
  const auto trace = store->trace();
  const auto survey = profile_source(*trace)->survey();
  if (!survey) return refuse(survey.error());
  const Moments moments(*api.served);
  json items = json::array();
  for (const ProfileSession& session : survey->sessions) {
    const bool spans = !session.spans.empty();
    std::int64_t total_ns = 0;
    for (const ProfileSpan& span : session.spans) total_ns += span.end_ns - span.begin_ns;
    items.push_back(
        {{"name", session.name},
         {"count", session.spans.size() + session.beyond},
         {"total_s", spans ? json(static_cast<double>(total_ns) / 1e9) : json(nullptr)},
         {"open", session.open() > 0},
         {"first_ns", spans ? json(moments.since_start(session.first_ns())) : json(nullptr)},
         {"last_ns", spans ? json(moments.since_start(session.last_ns())) : json(nullptr)}});
  }
  return answer({{"items", items}});
}

namespace {

Result<Profiled> profile_of(const Api& api, ProfileSource& source, const std::string& name,
                            std::optional<std::int64_t> from, std::optional<std::int64_t> to) {
  const Moments moments(*api.served);
  ProfileRequest wanted{name, {}, {}};
  if (from || to) {
    const auto survey = source.survey();
    if (!survey) return survey.error();
    if (from) wanted.from_s = std::max(seconds(*survey, moments.monotonic(*from)), 0.0);
    if (to) wanted.to_s = std::max(seconds(*survey, moments.monotonic(*to)), 0.0);
  }
  return profile(source, wanted, aggregator_options(api));
}

// "decode", or "1000000000..2000000000".
struct Side {
  std::string label, name;
  std::optional<std::int64_t> from, to;
};
Result<Side> side_of(const std::string& text) {
  const std::size_t dots = text.find("..");
  if (dots == std::string::npos) return Side{text, text, {}, {}};
  const std::string_view all = text;
  Side side{text, "", whole_number(all.substr(0, dots)), whole_number(all.substr(dots + 2))};
  constexpr std::int64_t kMost = INT64_MAX / 4;
  const bool good =
      side.from && side.to && *side.from < *side.to && *side.from >= -kMost && *side.to <= kMost;
  if (!good)
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("{}: write FROM..TO in ns since the start, or a session's name", text)};
  return side;
}

// All operations are read: one such question at a time, or who asks for pages and events would wait.
Response busy() {
  Response response = refuse(503, "Another profile is being made; ask again in a moment.");
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace

Response get_profile(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  const std::string name = parameters.text("name");
  const auto from = parameters.integer("from", INT64_MIN / 4, INT64_MAX / 4);
  const auto to = parameters.integer("to", INT64_MIN / 4, INT64_MAX / 4);
  if (!name.empty() && (from || to))
    parameters.fail("name is a session, from and to are a range: give one of them");
  if (const auto refusal = parameters.refusal()) return *refusal;
  if (api.served->store() == nullptr) return no_history();
  const auto trace = api.served->store()->trace();
  const auto source = profile_source(*trace);
  const std::unique_lock turn(api.heavy, std::try_to_lock);
  if (!turn) return busy();
  const auto made = profile_of(api, *source, name, from, to);
  if (!made) return refuse(made.error());
  json report = to_json(made->report);
  // That the history of a session that goes on is not closed need not be said.
  if (api.served->live()) {
    const std::string note = trace->note();
    std::erase_if(report["notes"].get_ref<json::array_t&>(),
                  [&note](const json& said) { return said == note; });
  }
  return answer(report);
}

Response get_profile_compare(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  const std::string asked[] = {parameters.text("a"), parameters.text("b")};
  if (asked[0].empty() || asked[1].empty())
    parameters.fail("give a and b: names of sessions, or FROM..TO in ns since the start");
  if (const auto refusal = parameters.refusal()) return *refusal;
  if (api.served->store() == nullptr) return no_history();
  const auto trace = api.served->store()->trace();
  const auto source = profile_source(*trace);
  const std::unique_lock turn(api.heavy, std::try_to_lock);
  if (!turn) return busy();
  std::deque<Profiled> profiles;  // whose samples the comparison looks at
  std::vector<CompareSource> sides;
  for (const std::string& text : asked) {
    const auto side = side_of(text);
    if (!side) return refuse(side.error());
    auto made = profile_of(api, *source, side->name, side->from, side->to);
    if (!made) return refuse(made.error());
    profiles.push_back(std::move(*made));
    sides.push_back({side->label, &profiles.back().profiler.samples()});
  }
  return answer(to_json(compare_profiles(sides, compare_options(*api.config->now()))));
}

}  // namespace peerscope::http

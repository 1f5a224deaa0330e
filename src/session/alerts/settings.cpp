#include "session/alerts/settings.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include <fmt/format.h>

#include "analyze/alert/parse.hpp"

namespace peerscope {
namespace {

Error bad(const Config& config, const char* key, const std::string& sentence) {
  return {ErrorCode::invalid_argument,
          fmt::format("{}: {}: {}", config.origin(key), key, sentence)};
}

void add_built_in(std::vector<Rule>& rules, const std::string& text, const RuleDefaults& defaults,
                  const std::string& origin) {
  Result<Rule> rule = parse_rule(text, defaults);
  if (!rule) return;  // cannot be: a test reads them all
  rule->origin = origin;
  rules.push_back(std::move(*rule));
}

// The thresholds that have a key of their own, as rules.
std::vector<Rule> built_in_rules(const Config& config, const RuleDefaults& defaults) {
  std::vector<Rule> rules;
  const auto add = [&](const char* key, const std::string& text) {
    add_built_in(rules, text, defaults, key);
  };
  if (const std::string& least = config.text("alert.finding_severity"); least != "off")
    add("alert.finding_severity", fmt::format("findings: finding any at_least {}", least));
  if (const double least = config.real("alert.min_bandwidth"); least > 0)
    add("alert.min_bandwidth",
        fmt::format("low bandwidth: busbw(size={}B) < {:f} GB/s group operation",
                    config.bytes("alert.min_bandwidth_size"), least));
  if (const std::int64_t most = config.duration_ns("alert.max_latency"); most > 0)
    add("alert.max_latency", fmt::format("high latency: p99 > {}ns group operation", most));
  if (const double least = config.share("alert.min_success_rate"); least > 0)
    add("alert.min_success_rate",
        fmt::format("low success rate: success_rate < {:f}% group operation", least * 100));
  if (const double most = config.share("alert.max_memory_share"); most > 0)
    add("alert.max_memory_share",
        fmt::format("full memory: pool_share > {:f}% group rank", most * 100));
  return rules;
}

Status check_names(const Config& config, const std::vector<Rule>& rules) {
  std::map<std::string, const Rule*> by_name;
  for (const Rule& rule : rules) {
    if (!by_name.emplace(rule.name, &rule).second)
      return bad(config, "alert.rules",
                 fmt::format("two rules are called '{}'; give one another name", rule.name));
  }
  std::set<std::string> done;
  std::function<std::string(const Rule&, std::set<std::string>)> follow =
      [&](const Rule& rule, std::set<std::string> above) -> std::string {
    if (!above.insert(rule.name).second) return fmt::format("'{}' inhibits itself", rule.name);
    if (done.contains(rule.name)) return "";
    for (const std::string& other : rule.inhibited_by) {
      const auto found = by_name.find(other);
      if (found == by_name.end())
        return fmt::format("'{}' is inhibited by '{}', which is no rule", rule.name, other);
      if (std::string problem = follow(*found->second, above); !problem.empty()) return problem;
    }
    done.insert(rule.name);
    return "";
  };
  for (const Rule& rule : rules) {
    if (const std::string problem = follow(rule, {}); !problem.empty())
      return bad(config, "alert.rules", problem);
  }
  return Done{};
}

Result<std::vector<Rule>> rules_of(const Config& config) {
  const RuleDefaults defaults{config.duration_ns("alert.for"),
                              config.duration_ns("alert.finding_for"),
                              config.duration_ns("alert.keep")};
  if (!config.boolean("alert.enabled")) return std::vector<Rule>{};
  std::vector<Rule> rules = built_in_rules(config, defaults);
  const std::vector<std::string>& texts = config.list("alert.rules");
  if (texts.size() > kMostRules)
    return bad(config, "alert.rules",
               fmt::format("there are {}; at most {} are judged", texts.size(), kMostRules));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    Result<Rule> rule = parse_rule(texts[i], defaults);
    if (!rule)
      return bad(config, "alert.rules",
                 fmt::format("rule {}: {} (in '{}')", i + 1, rule.error().message,
                             texts[i].substr(0, 200)));
    rule->origin = config.origin("alert.rules");
    rules.push_back(std::move(*rule));
  }
  if (const Status done = check_names(config, rules); !done) return done.error();
  return rules;
}

bool has_scheme(const std::string& url, std::initializer_list<const char*> schemes) {
  return std::any_of(schemes.begin(), schemes.end(), [&](const char* scheme) {
    return url.starts_with(std::string(scheme) + "://");
  });
}

// What goes into a header or an envelope: one line.
bool is_line(const std::string& text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

Status check_receivers(const Config& config, const ReceiverSettings& r) {
  for (const char* key : {"alert.webhook_url", "alert.alertmanager_url"}) {
    const std::string& url = config.text(key);
    if (!url.empty() && (!has_scheme(url, {"http", "https"}) || !is_line(url)))
      return bad(config, key, "write an address such as https://example.org/hook");
  }
  if (!r.command.empty() && r.command.front().empty())
    return bad(config, "alert.command", "the program has no name");
  if (r.smtp_url.empty()) return Done{};
  if (!has_scheme(r.smtp_url, {"smtp", "smtps"}) || !is_line(r.smtp_url))
    return bad(config, "alert.smtp_url", "write an address such as smtp://mail.example.org:587");
  if (r.smtp_from.empty() || r.smtp_to.empty())
    return bad(config, "alert.smtp_url", "mail needs alert.smtp_from and alert.smtp_to, too");
  const bool lines =
      is_line(r.smtp_from) && std::all_of(r.smtp_to.begin(), r.smtp_to.end(), is_line);
  if (!lines) return bad(config, "alert.smtp_to", "an address has no line break");
  return Done{};
}

ReceiverSettings receivers_of(const Config& config) {
  ReceiverSettings r;
  r.log = config.text("alert.log");
  r.command = config.list("alert.command");
  r.webhook_url = config.text("alert.webhook_url");
  r.webhook_secret = config.text("alert.webhook_secret");
  r.smtp_url = config.text("alert.smtp_url");
  r.smtp_from = config.text("alert.smtp_from");
  r.smtp_user = config.text("alert.smtp_user");
  r.smtp_password = config.text("alert.smtp_password");
  r.smtp_to = config.list("alert.smtp_to");
  r.alertmanager_url = config.text("alert.alertmanager_url");
  r.timeout_ns = config.duration_ns("alert.timeout");
  r.retry_for_ns = config.duration_ns("alert.retry_for");
  return r;
}

}  // namespace

Result<AlertSettings> alert_settings(const Config& config, const std::string& state_dir) {
  AlertSettings out;
  Result<std::vector<Rule>> rules = rules_of(config);
  if (!rules) return rules.error();
  out.rules = std::move(*rules);
  out.notices.repeat_ns = config.duration_ns("alert.repeat");
  out.receivers = receivers_of(config);
  if (const Status done = check_receivers(config, out.receivers); !done) return done.error();
  out.history.path = config.text("alert.history");
  if (out.history.path.empty() && !state_dir.empty())
    out.history.path = state_dir + "/alerts.sqlite";
  if (out.history.path == "none") out.history.path.clear();
  out.history.age_ns = config.duration_ns("alert.history_age");
  out.history.rows = static_cast<std::uint64_t>(config.integer("alert.history_rows"));
  return out;
}

}  // namespace peerscope

// Names from programs in our text: whatever they are, each line is one sample or comment, valid UTF-8, and there once.
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "metrics/openmetrics.hpp"
#include "metrics/otlp.hpp"
#include "metrics/words.hpp"

namespace {

using namespace peerscope;

std::string_view take(std::string_view& data) {
  const std::size_t end = std::min(data.find('\0'), data.size());
  const std::string_view word = data.substr(0, end);
  data.remove_prefix(std::min(end + 1, data.size()));
  return word;
}

void require(bool true_enough) {
  if (!true_enough) std::abort();
}

// name{label="value",...} number
void check_sample(std::string_view line) {
  std::size_t at =
      line.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
  require(at > 0 && at != std::string_view::npos);
  if (line[at] == '{') {
    bool quoted = false;
    for (++at; at < line.size() && (quoted || line[at] != '}'); ++at) {
      if (line[at] == '\\') {
        require(quoted && ++at < line.size() &&
                std::string_view("\\\"n").find(line[at]) != std::string_view::npos);
      } else if (line[at] == '"') {
        quoted = !quoted;
      }
    }
    require(!quoted && at++ < line.size());
  }
  require(line.substr(at).starts_with(' ') && line.find(' ', at + 1) == std::string_view::npos);
}

void check(const std::string& text) {
  std::set<std::string_view> seen;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    require(end != std::string_view::npos);
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    require((line == "# EOF") == rest.empty());
    if (line.starts_with("# ")) {
      require(seen.insert(line.substr(0, line.find(' ', line.find(' ', 2) + 1))).second);
      continue;
    }
    check_sample(line);
    require(seen.insert(line.substr(0, line.rfind(' '))).second);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string_view data(reinterpret_cast<const char*>(bytes), size);
  Snapshot snapshot;
  while (!data.empty() && snapshot.metrics.size() < 32) {
    const std::string_view word = take(data);
    MetricView& metric = snapshot.metrics.emplace_back();
    metric.name = word;
    metric.unit = take(data);
    metric.type = static_cast<MetricType>(word.size() % 3);
    Finding& finding = snapshot.findings.emplace_back();
    finding.kind = finding.subject.communicator = word;
    finding.subject.link = metric.unit;
    ProcessView& process = snapshot.processes.emplace_back();
    process.session = process.name = word;
    require(metrics::label_value(metrics::label_value(word)) == metrics::label_value(word));
  }
  check(openmetrics(snapshot, {}, {}));
  check(prometheus_text(snapshot, {}, {}));
  require(!otlp_json(snapshot, {}, {}, 1).empty());
  return 0;
}

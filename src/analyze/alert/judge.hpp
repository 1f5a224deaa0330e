// Rules over time: what becomes pending, fires, and is well again.
//
// No I/O, no clock, no thread. Time comes with the snapshots; where it runs backwards it stands still here.
// What is unknown neither fires nor resolves, and time without knowledge counts for nothing.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "analyze/alert/alert.hpp"
#include "analyze/alert/reading.hpp"
#include "analyze/alert/rule.hpp"
#include "analyze/snapshot.hpp"

namespace peerscope {

struct JudgeOptions {
  std::size_t max_groups = 256;     // of one rule; the rest is counted
  std::size_t max_alerts = 1024;    // pending and firing, of all rules; the rest is counted
  std::size_t max_resolved = 1024;  // that are kept, the last
  std::int64_t keep_resolved_ns = 3'600'000'000'000;
  std::int64_t forget_pending_ns = 600'000'000'000;  // of which nothing is known for so long
};

class AlertJudge {
 public:
  explicit AlertJudge(std::vector<Rule> rules, const JudgeOptions& options = {});

  // Alerts whose state, severity, silence or inhibition has changed.
  std::vector<Alert> look(const Snapshot& snapshot, std::span<const Silence> silences);
  // Silences have changed between two looks.
  std::vector<Alert> mark(std::span<const Silence> silences, std::int64_t real_ns);
  // What a rule that stays as it is has seen is kept. Alerts of one that goes are resolved.
  std::vector<Alert> set_rules(std::vector<Rule> rules);

  // Pending and firing ones, the worst first; then resolved ones, the last first.
  [[nodiscard]] std::vector<Alert> alerts() const;
  [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }
  [[nodiscard]] AlertState state_of(std::size_t rule) const;  // the furthest of its alerts
  // Groups that found no room at the last look.
  [[nodiscard]] std::uint64_t overflowed() const { return overflowed_; }

 private:
  struct Point {
    std::int64_t at_ns;
    double value;
  };
  struct Track {
    Alert alert;
    std::int64_t seen_ns = kUnknownNs;  // last time that it was known
    bool known = false;                 // at the last look
    bool well = false;                  // likewise
    std::int64_t wrong_for_ns = 0, well_for_ns = 0;
    std::deque<Point> past;  // of rules over time
    [[nodiscard]] bool is_open() const { return alert.state != AlertState::inactive; }
  };
  using Tracks = std::map<std::string, Track>;
  struct Seen {  // of one group at one look; neither: between clear and threshold
    bool wrong = false, well = false;
  };

  void look_at_findings(const Rule& rule, Tracks& tracks, const Snapshot& snapshot);
  void look_at_figures(const Rule& rule, Tracks& tracks, const Snapshot& snapshot);
  void take_reading(const Rule& rule, Track& track, const TermReading& reading);
  std::optional<double> transformed(const Rule& rule, Track& track, const TermReading& reading);
  Track* track_of(const Rule& rule, Tracks& tracks, const std::string& key, const Subject& subject);
  void step(const Rule& rule, Track& track, const Seen& seen, std::int64_t since_ns);
  void open(const Rule& rule, Track& track, std::int64_t since_ns);
  void resolve(Track& track);
  [[nodiscard]] bool is_over(const Rule& rule, const Track& track) const;
  void forget(const Rule& rule, Tracks& tracks);
  void inhibit(std::vector<Alert*>& open);
  std::vector<Alert*> open_alerts();
  std::vector<Alert> changes();

  JudgeOptions options_;
  std::vector<Rule> rules_;
  std::vector<Tracks> tracks_;               // as rules_
  std::deque<Alert> resolved_;               // the last at the end
  std::map<std::string, std::string> told_;  // id -> what has been said of it
  std::int64_t now_ns_ = 0, real_offset_ns_ = 0;
  std::size_t open_count_ = 0;
  std::uint64_t overflowed_ = 0, occurrences_ = 0;
};

}  // namespace peerscope

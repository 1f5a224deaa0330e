// What each page's table says of a snapshot. Pure.
#pragma once

#include <memory>
#include <string>

#include "analyze/detect/words.hpp"
#include "analyze/snapshot.hpp"
#include "model/device.hpp"
#include "tui/history.hpp"
#include "tui/state.hpp"
#include "tui/table.hpp"

namespace peerscope::tui {

// All that a frame is made of.
struct Scene {
  std::shared_ptr<const Snapshot> snapshot;       // never null
  std::shared_ptr<const MachineReading> reading;  // the GPUs just now; null: nobody has read them
  std::string session;                            // or the file's name
};

Table findings_table(const Scene& scene);
Table operations_table(const Scene& scene, const History& history, Window window);
Table ranks_table(const Scene& scene, const History& history, Window window);
Table pairs_table(const Scene& scene, const History& history, Window window);
Table devices_table(const Scene& scene);
Table events_table(const Scene& scene);
Table processes_table(const Scene& scene);
// The page's rows, filtered and in the order that the person has chosen.
Table table_of(const Scene& scene, const History& history, const UiState& state);

// Bars of one eighth to eight eighths, of the last `width` values; a space where it is unknown. "" of
// fewer than two: that is no course of anything.
std::string sparkline(const std::vector<double>& values, std::size_t width);
std::string evidence_line(const Finding& finding);
std::string finding_key(const std::vector<Finding>& findings, std::size_t at);
std::string time_of_day(std::int64_t real_ns);  // "12:00:01", here

}  // namespace peerscope::tui

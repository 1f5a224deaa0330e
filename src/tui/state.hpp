// What the person at the terminal has chosen: the page, the order, the filter. Plain data.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "analyze/aggregates.hpp"

namespace peerscope::tui {

enum class Page : std::uint8_t { overview, operations, ranks, pairs, devices, events, processes };
inline constexpr std::size_t kPages = 7;

constexpr const char* name(Page page) {
  constexpr const char* kNames[] = {"overview", "operations", "ranks",    "pairs",
                                    "devices",  "events",     "processes"};
  return kNames[static_cast<int>(page)];
}
constexpr const char* title(Page page) {
  constexpr const char* kTitles[] = {"Overview", "Operations", "Ranks",    "Pairs",
                                     "Devices",  "In flight",  "Processes"};
  return kTitles[static_cast<int>(page)];
}

struct PageState {
  int sort = -1;  // column; -1: as the rows come
  bool descending = true;
  std::string selected;  // key of a row; "": the first
  int top = 0;           // the first row that is shown
};

struct UiState {
  Page page = Page::overview;
  std::array<PageState, kPages> pages;
  Window window = Window::ten_seconds;
  std::string filter;
  bool typing_filter = false;
  bool paused = false, help = false, details = false;
  std::int64_t interval_ns = 1'000'000'000;
  int scroll = 0;  // of help and details
  int width = 80, height = 24;
  bool recording = false;  // a file: it does not go on
  std::string message;     // in the last line, until the next key

  [[nodiscard]] PageState& here() { return pages[static_cast<std::size_t>(page)]; }
  [[nodiscard]] const PageState& here() const { return pages[static_cast<std::size_t>(page)]; }
};

}  // namespace peerscope::tui

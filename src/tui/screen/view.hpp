// A frame: the scene as the person has chosen to see it. Pure; draws with FTXUI.
#pragma once

#include <ftxui/dom/elements.hpp>
#include <ftxui/screen/screen.hpp>

#include "tui/history.hpp"
#include "tui/pages.hpp"
#include "tui/state.hpp"
#include "tui/update.hpp"

namespace peerscope::tui {

struct Drawn {
  ftxui::Element element;
  Hits hits;  // what a click on it means
};

Drawn view(const Scene& scene, const History& history, const UiState& state);

}  // namespace peerscope::tui

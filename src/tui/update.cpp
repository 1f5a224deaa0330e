#include "tui/update.hpp"

#include <algorithm>
#include <iterator>

namespace peerscope::tui {
namespace {

constexpr std::int64_t kMs = 1'000'000;
// Below 100 ms nobody sees more.
constexpr std::int64_t kIntervals[] = {100 * kMs,   250 * kMs,   500 * kMs,    1'000 * kMs,
                                       2'000 * kMs, 5'000 * kMs, 10'000 * kMs, 60'000 * kMs};
constexpr std::size_t kLongestFilter = 64;

void turn_to(UiState& state, int page) {
  const int pages = static_cast<int>(kPages);
  state.page = static_cast<Page>((page % pages + pages) % pages);
  state.details = false;
}

void change_interval(UiState& state, bool longer) {
  if (longer) {
    const auto* next =
        std::upper_bound(std::begin(kIntervals), std::end(kIntervals), state.interval_ns);
    if (next != std::end(kIntervals)) state.interval_ns = *next;
  } else {
    const auto* next =
        std::lower_bound(std::begin(kIntervals), std::end(kIntervals), state.interval_ns);
    if (next != std::begin(kIntervals)) state.interval_ns = *std::prev(next);
  }
}

void sort_by(PageState& page, const Hits::Span& head) {
  page.sort = head.what;
  page.descending = !head.words;
}

// Through the columns that are on the screen, and back to the order in which rows come.
void next_sort(UiState& state, const Hits& hits) {
  PageState& page = state.here();
  const auto now = std::find_if(hits.heads.begin(), hits.heads.end(),
                                [&](const Hits::Span& head) { return head.what == page.sort; });
  if (now == hits.heads.end()) {
    if (!hits.heads.empty()) sort_by(page, hits.heads.front());
  } else if (std::next(now) == hits.heads.end()) {
    page.sort = -1;
  } else {
    sort_by(page, *std::next(now));
  }
}

void move_to(UiState& state, const Hits& hits, int row) {
  if (hits.keys.empty()) return;
  const int rows = static_cast<int>(hits.keys.size());
  row = std::clamp(row, 0, rows - 1);
  state.here().selected = hits.keys[static_cast<std::size_t>(row)];
  state.here().top = first_row(state.here().top, row, rows, hits.page_rows);
}

void move_by(UiState& state, const Hits& hits, int rows) {
  if (state.help || state.details) {
    // From where it is seen to be: a window that grew has less to scroll.
    state.scroll = std::clamp(std::min(state.scroll, hits.most_scroll) + rows, 0, hits.most_scroll);
    return;
  }
  move_to(state, hits, selected_row(state, hits.keys) + rows);
}

void click(UiState& state, const Hits& hits, int x, int y) {
  const auto at = [x](const Hits::Span& span) { return span.from <= x && x < span.to; };
  if (y == hits.tabs_y) {
    const auto tab = std::find_if(hits.tabs.begin(), hits.tabs.end(), at);
    if (tab != hits.tabs.end()) turn_to(state, tab->what);
    return;
  }
  if (y == hits.heads_y) {
    const auto head = std::find_if(hits.heads.begin(), hits.heads.end(), at);
    if (head == hits.heads.end()) return;
    if (state.here().sort == head->what)
      state.here().descending = !state.here().descending;
    else
      sort_by(state.here(), *head);
    return;
  }
  for (const Hits::Line& line : hits.lines) {
    if (line.y != y) continue;
    state.details = line.row == selected_row(state, hits.keys) && !state.here().selected.empty();
    if (state.details) state.scroll = 0;
    move_to(state, hits, line.row);
    return;
  }
}

void take_back(std::string& text) {
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
  if (!text.empty()) text.pop_back();
}

// True: the filter's line took it.
bool type_filter(UiState& state, const Input& input) {
  switch (input.key) {
    case Key::character:
      if (state.filter.size() + input.text.size() <= kLongestFilter) state.filter += input.text;
      return true;
    case Key::backspace:
      take_back(state.filter);
      return true;
    case Key::enter:
      state.typing_filter = false;
      return true;
    case Key::escape:
      state.filter.clear();
      state.typing_filter = false;
      return true;
    default:
      return false;
  }
}

Action letter(UiState& state, char key, const Hits& hits) {
  switch (key) {
    case 'q':
      return Action::quit;
    case 'k':
      move_by(state, hits, -1);
      break;
    case 'j':
      move_by(state, hits, 1);
      break;
    case 's':
      next_sort(state, hits);
      break;
    case 'S':
      state.here().descending = !state.here().descending;
      break;
    case '/':
      state.typing_filter = true;
      break;
    case 'p':
    case ' ':
      state.paused = !state.paused && !state.recording;
      break;
    case '+':
    case '=':
      change_interval(state, true);
      break;
    case '-':
      change_interval(state, false);
      break;
    case 'w':
      state.window = static_cast<Window>((static_cast<std::size_t>(state.window) + 1) % kWindows);
      break;
    case 'h':
    case '?':
      state.help = true;
      state.scroll = 0;
      break;
    case 'e':
      return Action::export_csv;
    case 'E':
      return Action::export_json;
    case '\f':
      return Action::redraw;
    default:
      if (key >= '1' && key < '1' + static_cast<char>(kPages)) turn_to(state, key - '1');
  }
  return Action::none;
}

// True: what lies over the page took it.
bool close_overlay(UiState& state, const Input& input) {
  if (!state.help && !state.details) return false;
  const bool scrolls = input.key == Key::up || input.key == Key::down ||
                       input.key == Key::page_up || input.key == Key::page_down ||
                       input.key == Key::wheel_up || input.key == Key::wheel_down ||
                       input.text == "j" || input.text == "k";
  if (scrolls) return false;
  state.help = state.details = false;
  // What turns to another page does so at once; anything else has closed it, and that is all.
  return !(input.text.size() == 1 && input.text[0] >= '1' && input.text[0] <= '7');
}

}  // namespace

int selected_row(const UiState& state, const std::vector<std::string>& keys) {
  const auto found = std::find(keys.begin(), keys.end(), state.here().selected);
  if (found != keys.end()) return static_cast<int>(found - keys.begin());
  return keys.empty() ? -1 : 0;
}

int first_row(int top, int selected, int rows, int fit) {
  fit = std::max(fit, 1);
  top = std::clamp(top, 0, std::max(0, rows - fit));
  if (selected < top) return std::max(selected, 0);
  return selected >= top + fit ? selected - fit + 1 : top;
}

Action apply(UiState& state, const Input& input, const Hits& hits) {
  state.message.clear();
  if (close_overlay(state, input)) return Action::none;
  if (state.typing_filter && type_filter(state, input)) return Action::none;
  const int page = static_cast<int>(state.page);
  switch (input.key) {
    case Key::character:
      return input.text.size() == 1 ? letter(state, input.text[0], hits) : Action::none;
    case Key::up:
      move_by(state, hits, -1);
      break;
    case Key::down:
      move_by(state, hits, 1);
      break;
    case Key::wheel_up:
      move_by(state, hits, -3);
      break;
    case Key::wheel_down:
      move_by(state, hits, 3);
      break;
    case Key::page_up:
      move_by(state, hits, -hits.page_rows);
      break;
    case Key::page_down:
      move_by(state, hits, hits.page_rows);
      break;
    case Key::home:
      move_to(state, hits, 0);
      break;
    case Key::end:
      move_to(state, hits, static_cast<int>(hits.keys.size()) - 1);
      break;
    case Key::tab:
    case Key::right:
      turn_to(state, page + 1);
      break;
    case Key::back_tab:
    case Key::left:
      turn_to(state, page - 1);
      break;
    case Key::enter:
      state.details = !hits.keys.empty();
      state.scroll = 0;
      break;
    case Key::escape:
      state.filter.clear();
      break;
    case Key::click:
      click(state, hits, input.x, input.y);
      break;
    default:
      break;
  }
  return Action::none;
}

}  // namespace peerscope::tui

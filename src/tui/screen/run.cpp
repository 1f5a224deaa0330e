// The loop: a frame when there is something new to see, and not more than ten a second.
#include "tui/run.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "tui/screen/paint.hpp"
#include "tui/screen/view.hpp"
#include "tui/terminal.hpp"

namespace peerscope::tui {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kFrameNs = 100 * kMs;
constexpr std::int64_t kEscapeNs =
    40 * kMs;  // after a lone escape: a key's sequence has come whole by then

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

struct Session {
  const Watch& watch;
  Terminal& terminal;
  Ink ink;
  UiState state = {};
  Scene scene = {};
  History history = {};
  std::shared_ptr<const Snapshot> newest = {};  // not shown while paused
  Hits hits = {};
  std::vector<std::string> frame = {};
  std::string pending = {};     // bytes of a key that has not come whole
  std::int64_t pending_ns = 0;  // when the last of them came
  std::int64_t drawn_ns = 0;
  bool dirty = true, quit = false;
};

void take_news(Session& s) {
  auto latest = s.watch.latest();
  if (latest == s.newest) return;
  s.newest = latest;
  s.history.add(*latest);
  if (s.state.paused) return;
  s.scene.snapshot = std::move(latest);
  s.scene.reading = s.watch.reading();
  s.dirty = true;
}

void draw(Session& s) {
  const Terminal::Size size = s.terminal.size();
  s.state.width = size.width;
  s.state.height = size.height;
  Drawn drawn = view(s.scene, s.history, s.state);
  ftxui::Screen screen(size.width, size.height);
  ftxui::Render(screen, drawn.element);
  prepare(screen, s.ink);
  std::vector<std::string> lines = styled_lines(screen);
  s.terminal.write(changes(s.frame, lines));
  s.frame = std::move(lines);
  s.hits = std::move(drawn.hits);
  s.drawn_ns = now_ns();
  s.dirty = false;
}

// "/home/me/peerscope-top-operations-20260102-030405.csv", which was not there before; or why not.
std::string export_table(const Session& s, bool json) {
  const Table table = table_of(s.scene, s.history, s.state);
  const std::time_t now = std::time(nullptr);
  const std::string file_name =
      fmt::format("peerscope-top-{}-{:%Y%m%d-%H%M%S}.{}", peerscope::tui::name(s.state.page),
                  fmt::localtime(now), json ? "json" : "csv");
  char folder[PATH_MAX] = ".";
  if (getcwd(folder, sizeof folder) == nullptr) std::strcpy(folder, ".");
  const std::string path = fmt::format("{}/{}", folder, file_name);
  const std::string text =
      json ? to_json(table, peerscope::tui::name(s.state.page)) : to_csv(table);
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  const bool wrote =
      file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int problem = errno;
  if (file >= 0) close(file);
  if (!wrote) return fmt::format("{} cannot be written: {}", path, std::strerror(problem));
  return fmt::format("wrote {} ({} rows)", path, table.rows.size());
}

void act(Session& s, const Input& input) {
  const bool was_paused = s.state.paused;
  const std::int64_t interval_ns = s.state.interval_ns;
  const Action action = apply(s.state, input, s.hits);
  if (action == Action::quit) s.quit = true;
  if (action == Action::redraw) s.frame.clear();
  if (action == Action::export_csv || action == Action::export_json)
    s.state.message = export_table(s, action == Action::export_json);
  if (s.state.interval_ns != interval_ns) s.watch.publish_every(s.state.interval_ns);
  if (was_paused && !s.state.paused) {
    s.scene.snapshot = s.newest;
    s.scene.reading = s.watch.reading();
  }
  s.dirty = true;
}

void take_input(Session& s) {
  const std::int64_t begin = now_ns(), since_frame = begin - s.drawn_ns;
  std::int64_t wait_ns = s.dirty ? std::max<std::int64_t>(0, kFrameNs - since_frame) : kFrameNs;
  if (!s.pending.empty())
    wait_ns = std::clamp<std::int64_t>(s.pending_ns + kEscapeNs - begin, 0, wait_ns);
  const Woken woken = s.terminal.wait(wait_ns);
  if (woken.stop) s.quit = true;
  if (woken.renewed) {
    s.frame.clear();
    s.dirty = true;
  }
  if (!woken.bytes.empty()) s.pending_ns = now_ns();
  s.pending += woken.bytes;
  // A frame that is due or a signal ends the wait early: that says nothing of what is still to come.
  const bool nothing_more = now_ns() - s.pending_ns >= kEscapeNs;
  for (const Input& input : take_inputs(s.pending, nothing_more)) act(s, input);
}

}  // namespace

Status screen_ready() {
  if (!can_draw())
    return Error{ErrorCode::unsupported,
                 "this terminal (TERM) cannot be drawn on, so here is text"};
  return Done{};
}

Status run_screen(const Watch& watch) {
  auto terminal = Terminal::open();
  if (!terminal) return terminal.error();
  Session s{watch, **terminal, {wants_colour(), knows_utf8()}};
  s.state.interval_ns = watch.interval_ns;
  s.state.recording = watch.recording;
  if (watch.recording) s.state.window = Window::all;
  s.scene.session = watch.session;
  while (!s.quit) {
    take_news(s);
    if (s.dirty && now_ns() - s.drawn_ns >= kFrameNs) draw(s);
    take_input(s);
  }
  return Done{};
}

}  // namespace peerscope::tui

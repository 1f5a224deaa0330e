#include "tui/screen/parts.hpp"

#include <algorithm>

#include <ftxui/screen/string.hpp>

namespace peerscope::tui {

int width_of(const std::string& text) { return ftxui::string_width(text); }

std::string cut(const std::string& text, int width) {
  if (width_of(text) <= width) return text;
  if (width <= 0) return "";
  std::string out;
  int used = 0;
  for (const std::string& glyph : ftxui::Utf8ToGlyphs(text)) {
    const int wide = width_of(glyph);
    if (used + wide > width - 1) break;
    out += glyph;
    used += wide;
  }
  return out + "…";
}

std::string fit(const std::string& text, int width, bool left) {
  std::string out = cut(text, width);
  const std::string space(static_cast<std::size_t>(std::max(0, width - width_of(out))), ' ');
  return left ? out + space : space + out;
}

std::vector<std::string> wrap(const std::string& text, int width) {
  std::vector<std::string> lines;
  std::string line;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = cut(text.substr(at, end - at), width);
    if (!line.empty() && width_of(line) + 1 + width_of(word) > width) {
      lines.push_back(std::move(line));
      line.clear();
    }
    if (!line.empty()) line += " ";
    line += word;
    at = end + 1;
  }
  if (!line.empty() || lines.empty()) lines.push_back(std::move(line));
  return lines;
}

const char* mark_of(Severity severity) {
  constexpr const char* kMarks[] = {"●", "▲", "■"};
  return kMarks[static_cast<int>(severity)];
}

ftxui::Decorator tint(Severity severity) {
  using ftxui::Color;
  constexpr Color::Palette16 kColours[] = {Color::Cyan, Color::Yellow, Color::Red};
  return ftxui::color(kColours[static_cast<int>(severity)]);
}

ftxui::Decorator good() { return ftxui::color(ftxui::Color::Green); }

ftxui::Element line_of(const std::vector<Part>& parts, int width, const std::string& between) {
  ftxui::Elements out;
  int used = 0;
  for (const Part& part : parts) {
    const int before = out.empty() ? 0 : width_of(between);
    const int wide = width_of(part.text);
    if (part.text.empty() || (!out.empty() && used + before + wide > width)) continue;
    if (!out.empty()) out.push_back(ftxui::text(between));
    out.push_back(ftxui::text(cut(part.text, width)) | part.look);
    used += before + wide;
  }
  return ftxui::hbox(std::move(out));
}

int overlay_rows(int height) { return std::max(1, height - 2); }

ftxui::Element overlay(const std::string& title, const ftxui::Elements& lines, int scroll,
                       int width, int height) {
  const int room = overlay_rows(height);
  const int count = static_cast<int>(lines.size());
  const int top = std::clamp(scroll, 0, std::max(0, count - room));
  ftxui::Elements shown(lines.begin() + top, lines.begin() + std::min(count, top + room));
  const std::string more = count > room ? " " + title + " (arrows: more) " : " " + title + " ";
  return ftxui::window(ftxui::text(cut(more, width - 4)) | ftxui::bold,
                       ftxui::vbox(std::move(shown))) |
         ftxui::size(ftxui::WIDTH, ftxui::EQUAL, width) |
         ftxui::size(ftxui::HEIGHT, ftxui::LESS_THAN, height) | ftxui::clear_under | ftxui::center;
}

}  // namespace peerscope::tui

// What a terminal sends, as keys and clicks. Pure: bytes in, inputs out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace peerscope::tui {

enum class Key : std::uint8_t {
  none,
  character,  // `text`
  up,
  down,
  left,
  right,
  page_up,
  page_down,
  home,
  end,
  enter,
  tab,
  back_tab,
  backspace,
  escape,
  click,
  wheel_up,
  wheel_down,
};

struct Input {
  Key key = Key::none;
  std::string text = {};  // of a character, UTF-8
  int x = 0, y = 0;       // of the mouse, from 0
};

// Takes whole sequences off the front of `bytes`. What is the beginning of one stays there, unless
// `all`: then nothing more is to come soon, and a lone escape is the key of that name. What is not
// understood is left out.
std::vector<Input> take_inputs(std::string& bytes, bool all);

}  // namespace peerscope::tui

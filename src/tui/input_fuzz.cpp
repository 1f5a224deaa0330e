// Whatever a terminal sends, in pieces of any length: nothing is read beyond, and nothing is kept for ever.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "tui/input.hpp"
#include "tui/update.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace peerscope::tui;
  UiState state;
  Hits hits;
  hits.keys = {"a", "b", "c"};
  hits.heads = {{2, 8, 0, true}, {10, 16, 3, false}};
  hits.lines = {{3, 0}, {4, 1}};
  hits.heads_y = 2;
  std::string pending;
  for (std::size_t at = 0; at < size;) {
    const std::size_t piece = 1 + data[at] % 7;
    pending.append(reinterpret_cast<const char*>(data) + at, std::min(piece, size - at));
    at += piece;
    for (const Input& input : take_inputs(pending, false)) apply(state, input, hits);
    if (pending.size() > 128) std::abort();
    if (static_cast<std::size_t>(state.page) >= kPages || state.here().top < 0) std::abort();
  }
  take_inputs(pending, true);
  if (!pending.empty()) std::abort();
  return 0;
}

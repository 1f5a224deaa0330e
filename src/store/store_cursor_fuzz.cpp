// Cursors come from anyone: whatever they say, the answer is a page that ends or one sentence.
#include <cstdlib>

#include "store/cursor.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace peerscope;
  if (size == 0) return 0;
  const auto of = (data[0] & 1) != 0 ? Cursor::Of::operations : Cursor::Of::collectives;
  const bool newest_first = (data[0] & 2) != 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto cursor = parse_cursor(text, of, newest_first);
  if (!cursor) {
    if (cursor.error().code != ErrorCode::invalid_argument || cursor.error().message.empty())
      abort();
    return 0;
  }
  // What is taken is what would be given.
  if (!text.empty() && parse_cursor(to_text(*cursor), of, newest_first)->key != cursor->key)
    abort();
  return 0;
}

// Cursors come from anyone: whatever they say, the answer is pages that end, or one sentence.
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "store/cursor.hpp"
#include "store/store.hpp"
#include "trace/workload_for_test.hpp"
#include "trace/writer.hpp"

namespace peerscope {
namespace {

std::unique_ptr<Store> small_store() {
  const std::string path = std::filesystem::temp_directory_path() /
                           fmt::format("peerscope-cursor-fuzz-{}.pscope", getpid());
  TraceWriterOptions options;
  options.chunk_operations = 16;
  auto writer = TraceWriter::create(path, options);
  writer->add(TraceWorkload(false).take(200));
  static_cast<void>(writer->close());
  auto store = std::move(*Store::open(path));
  std::filesystem::remove(path);  // it stays open
  return store;
}

void require(bool good) {
  if (!good) std::abort();
}

// As a program would that has kept a cursor: pages to the end.
void walk(const Store& store, const Cursor& cursor) {
  OperationQuery query;
  query.newest_first = cursor.newest_first;
  query.cursor = to_text(cursor);
  query.limit = 20;
  std::size_t items = 0;
  for (int pages = 0; !query.cursor.empty(); ++pages) {
    require(pages < 300);
    if (cursor.of == Cursor::Of::operations) {
      const auto page = store.operations(query);
      require(static_cast<bool>(page));
      items += page->items.size();
      query.cursor = page->next;
    } else {
      const auto page = store.collectives(query);
      require(static_cast<bool>(page));
      items += page->items.size();
      query.cursor = page->next;
    }
  }
  require(items <= 200);
}

void take_text(const std::string& text, Cursor::Of of, bool newest_first) {
  const auto cursor = parse_cursor(text, of, newest_first);
  if (!cursor) {
    require(cursor.error().code == ErrorCode::invalid_argument && !cursor.error().message.empty());
  } else if (!text.empty()) {
    require(parse_cursor(to_text(*cursor), of, newest_first)->key == cursor->key);
  }
}

}  // namespace
}  // namespace peerscope

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace peerscope;
  static const std::unique_ptr<Store> store = small_store();
  if (size == 0) return 0;
  Cursor cursor;
  cursor.of = (data[0] & 1) != 0 ? Cursor::Of::operations : Cursor::Of::collectives;
  cursor.newest_first = (data[0] & 2) != 0;
  cursor.inclusive = (data[0] & 4) != 0;
  take_text({reinterpret_cast<const char*>(data) + 1, size - 1}, cursor.of, cursor.newest_first);
  if (size < 25) return 0;
  std::memcpy(&cursor.key.begin_ns, data + 1, 8);
  std::memcpy(&cursor.key.major, data + 9, 8);
  std::memcpy(&cursor.key.minor, data + 17, 8);
  walk(*store, cursor);
  return 0;
}

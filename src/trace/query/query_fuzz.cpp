// Any text as a question. Where both the fast path and SQLite answer, they have to agree.
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>

#include "trace/query/columns.hpp"
#include "trace/query/query.hpp"
#include "trace/small_trace_for_test.hpp"

namespace {

using namespace peerscope;

struct Answer {
  bool good = false;
  std::string engine;
  std::vector<std::vector<SqlValue>> rows;
};

Answer ask(const TraceReader& trace, const std::string& sql, QueryEngine engine) {
  Answer answer;
  int patience = 50;  // times 100,000 steps of SQLite's machine
  QueryCallbacks callbacks;
  callbacks.on_row = [&](std::span<const SqlValue> row) {
    answer.rows.emplace_back(row.begin(), row.end());
    return answer.rows.size() < 2000;
  };
  callbacks.cancelled = [&] { return --patience < 0; };
  const auto stats = query(trace, sql, engine, callbacks);
  answer.good = static_cast<bool>(stats);
  if (stats) answer.engine = stats->engine;
  std::sort(answer.rows.begin(), answer.rows.end(), [](const auto& a, const auto& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (const int order = compare(a[i], b[i]); order != 0) return order < 0;
    }
    return false;
  });
  return answer;
}

// Which rows a limit leaves is open where the order is.
bool has_limit(const std::string& sql) {
  static constexpr std::string_view kWord = "limit";
  return std::search(sql.begin(), sql.end(), kWord.begin(), kWord.end(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == b;
         }) != sql.end();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const SmallTrace small(SmallTrace::collectives(30), 50);
  static const TraceReader trace = small.open();
  const std::string sql(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 2000));
  const Answer quick = ask(trace, sql, QueryEngine::automatic);
  if (!quick.good || quick.engine == "sqlite" || has_limit(sql)) return 0;
  const Answer slow = ask(trace, sql, QueryEngine::sqlite);
  if (!slow.good || slow.rows != quick.rows) std::abort();
  return 0;
}

// peerscope query: SQL over a trace file.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/render.hpp"
#include "cli/stop.hpp"
#include "cli/trace_files.hpp"
#include "trace/query/columns.hpp"
#include "trace/query/small_tables.hpp"

namespace peerscope {
namespace {

struct QueryArguments {
  std::string path, sql, engine = "auto";
  int limit = 1000;
  bool json = false, csv = false, stats = false, tables = false;
};

std::string text_of(const SqlValue& value, const char* null) {
  switch (value.index()) {
    case 1:
      return std::to_string(std::get<1>(value));
    case 2:
      return fmt::format("{:.6g}", std::get<2>(value));
    case 3:
      return std::get<3>(value);
    default:
      return null;
  }
}

nlohmann::json json_of(const SqlValue& value) {
  switch (value.index()) {
    case 1:
      return std::get<1>(value);
    case 2:
      return std::get<2>(value);
    case 3:
      return std::get<3>(value);
    default:
      return nullptr;
  }
}

std::string csv_of(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + '"';
}

// Prints rows as they come, or keeps them for a table.
class Printer {
 public:
  explicit Printer(const QueryArguments& arguments) : arguments_(arguments) {}

  void columns(std::span<const std::string> names) {
    names_.assign(names.begin(), names.end());
    if (arguments_.json) fmt::print("[");
    if (arguments_.csv) line(names_);
    rows_.push_back(names_);
  }

  bool row(std::span<const SqlValue> values) {
    ++count_;
    if (arguments_.json) {
      nlohmann::ordered_json object;
      for (std::size_t i = 0; i < values.size(); ++i) object[names_[i]] = json_of(values[i]);
      fmt::print("{}{}", count_ == 1 ? "\n" : ",\n",
                 object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
      return true;
    }
    std::vector<std::string> texts;
    for (const SqlValue& value : values) texts.push_back(text_of(value, arguments_.csv ? "" : "–"));
    if (arguments_.csv) {
      for (std::string& text : texts) text = csv_of(text);
      line(texts);
      return true;
    }
    if (count_ > static_cast<std::uint64_t>(arguments_.limit)) return false;
    rows_.push_back(std::move(texts));
    return true;
  }

  void finish() {
    if (arguments_.json) fmt::print("\n]\n");
    if (arguments_.json || arguments_.csv) return;
    fmt::print("{}", table(rows_, 0, terminal_style()));
    if (count_ > static_cast<std::uint64_t>(arguments_.limit))
      fmt::print("  the first {} rows; more with --limit, all with --csv or --json\n",
                 arguments_.limit);
  }

 private:
  static void line(const std::vector<std::string>& texts) {
    for (std::size_t i = 0; i < texts.size(); ++i) fmt::print("{}{}", i == 0 ? "" : ",", texts[i]);
    fmt::print("\r\n");
  }

  const QueryArguments& arguments_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> rows_;
  std::uint64_t count_ = 0;
};

void print_tables() {
  std::vector<std::vector<std::string>> rows{{"ops", "", ""}};
  for (std::size_t i = 0; i < kOpsColumns; ++i) {
    const OpsColumnInfo& column = info(static_cast<OpsColumn>(i));
    rows.push_back({std::string("  ") + column.name, column.type, column.help});
  }
  fmt::print("{}\n", table(rows, 3, terminal_style()));
  fmt::print(
      "  collectives (comm_id, communicator, sequence, operation, ranks, arrived, bytes, first_ns, "
      "last_ns,\n"
      "    end_ns, skew_ns, transfer_ns, last_rank)\n");
  for (const SmallTable& small : small_tables())
    fmt::print("  {} ({})\n", small.name, small.columns);
}

// A name of ours that is close to what SQLite did not find.
std::string suggestion(const std::string& message) {
  const std::size_t at = message.rfind(": ");
  if (message.find("no such") == std::string::npos || at == std::string::npos) return {};
  const std::string wanted = message.substr(at + 2);
  std::string best;
  std::size_t best_distance = 4;
  const auto consider = [&](const std::string& name) {
    std::vector<std::size_t> row(name.size() + 1);
    for (std::size_t j = 0; j <= name.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= wanted.size(); ++i) {
      std::size_t diagonal = row[0]++;
      for (std::size_t j = 1; j <= name.size(); ++j) {
        const std::size_t above = row[j];
        row[j] = std::min(
            {above + 1, row[j - 1] + 1, diagonal + (wanted[i - 1] == name[j - 1] ? 0 : 1)});
        diagonal = above;
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = name;
    }
  };
  for (std::size_t i = 0; i < kOpsColumns; ++i) consider(info(static_cast<OpsColumn>(i)).name);
  for (const SmallTable& small : small_tables()) consider(small.name);
  consider("ops");
  consider("collectives");
  return best.empty() ? "; --tables lists what there is" : fmt::format("; did you mean {}?", best);
}

int query_main(Args& args) {
  QueryArguments arguments;
  args.positional("file", arguments.path, "a .pscope file");
  args.positional("sql", arguments.sql, "one SELECT; - reads it from standard input");
  args.choice("--engine", arguments.engine, {"auto", "sqlite", "duckdb"}, "who answers");
  args.integer("--limit", arguments.limit, 1, 1'000'000, "rows of the table");
  args.flag("--json", arguments.json, "print an array of objects");
  args.flag("--csv", arguments.csv, "print comma-separated values");
  args.flag("--stats", arguments.stats,
            "say who answered, and how long it took, to standard error");
  args.flag("--tables", arguments.tables, "list tables and columns");
  if (const auto status = args.parse()) return *status;
  if (arguments.tables) {
    print_tables();
    return 0;
  }
  if (arguments.path.empty() || arguments.sql.empty()) {
    fmt::print(stderr,
               "peerscope query: write: peerscope query FILE 'SELECT ...'; --tables lists what "
               "there is\n");
    return 2;
  }
  if (arguments.sql == "-") arguments.sql.assign(std::istreambuf_iterator<char>(std::cin), {});
  const auto trace = open_trace("query", arguments.path);
  if (!trace) return 2;
  stop_on_interrupt();
  Printer printer(arguments);
  QueryCallbacks callbacks;
  callbacks.on_columns = [&](std::span<const std::string> names) { printer.columns(names); };
  callbacks.on_row = [&](std::span<const SqlValue> row) { return printer.row(row); };
  callbacks.cancelled = stop_requested;
  const auto begin = std::chrono::steady_clock::now();
  const QueryEngine engine = arguments.engine == "auto"     ? QueryEngine::automatic
                             : arguments.engine == "sqlite" ? QueryEngine::sqlite
                                                            : QueryEngine::duckdb;
  const auto stats = query(*trace, arguments.sql, engine, callbacks);
  if (!stats) {
    fmt::print(stderr, "peerscope query: {}{}\n", stats.error().message,
               suggestion(stats.error().message));
    return 2;
  }
  printer.finish();
  if (arguments.stats) {
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    fmt::print(stderr, "  {} · {} rows · {} operations read · {}\n", stats->engine,
               format_count(stats->rows), format_count(stats->operations_read),
               format_duration(took.count()));
  }
  return 0;
}

}  // namespace

const Command kQueryCommand{{"query", "SQL over a trace file",
                             "  peerscope query run.pscope 'SELECT operation, count(*), "
                             "avg(host_duration_ns) FROM ops GROUP BY operation'\n"
                             "  peerscope query run.pscope 'SELECT * FROM ops ORDER BY "
                             "host_duration_ns DESC LIMIT 10'   the slowest\n"
                             "  peerscope query run.pscope 'SELECT last_rank, count(*) FROM "
                             "collectives GROUP BY 1'      who came last\n"
                             "  peerscope query run.pscope \"SELECT begin_ns, rank, status FROM "
                             "ops WHERE status <> 'ok'\" --csv\n",
                             ""},
                            query_main};

}  // namespace peerscope

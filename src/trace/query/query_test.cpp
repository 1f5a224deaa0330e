#include "trace/query/query.hpp"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trace/query/columns.hpp"
#include "trace/query/simple_query.hpp"
#include "trace/small_trace_for_test.hpp"

namespace peerscope {
namespace {

using testing::HasSubstr;

struct Answer {
  std::string error, engine;
  std::vector<std::string> columns;
  std::vector<std::vector<SqlValue>> rows;
};

Answer ask(const TraceReader& trace, const std::string& sql,
           QueryEngine engine = QueryEngine::automatic) {
  Answer answer;
  QueryCallbacks callbacks;
  callbacks.on_columns = [&](std::span<const std::string> names) {
    answer.columns.assign(names.begin(), names.end());
  };
  callbacks.on_row = [&](std::span<const SqlValue> row) {
    answer.rows.emplace_back(row.begin(), row.end());
    return true;
  };
  const auto stats = query(trace, sql, engine, callbacks);
  if (stats) {
    answer.engine = stats->engine;
  } else {
    answer.error = stats.error().message;
  }
  return answer;
}

std::vector<std::vector<SqlValue>> sorted(std::vector<std::vector<SqlValue>> rows) {
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (const int order = compare(a[i], b[i]); order != 0) return order < 0;
    }
    return false;
  });
  return rows;
}

std::string show(const std::vector<std::vector<SqlValue>>& rows) {
  std::string text;
  for (const auto& row : rows) {
    for (const SqlValue& v : row)
      text += v.index() == 0   ? "NULL "
              : v.index() == 1 ? std::to_string(std::get<1>(v)) + " "
              : v.index() == 2 ? fmt::format("{} ", std::get<2>(v))
                               : std::get<3>(v) + " ";
    text += "\n";
  }
  return text;
}

std::vector<Op> varied(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Op> ops(n);
  for (std::size_t i = 0; i < n; ++i) {
    Op& op = ops[i];
    op.begin_ns = static_cast<std::int64_t>(i * 500);
    op.host_duration_ns =
        random() % 4 == 0 ? kUnknownNs : static_cast<std::int64_t>(random() % 100'000);
    if (random() % 3 == 0) {
      op.device_begin_ns = op.begin_ns + 10;
      op.device_duration_ns = static_cast<std::int64_t>(random() % 50'000);
    }
    op.bytes = random() % 2 == 0 ? 4096ull << (random() % 8) : random() % 1'000'000;
    op.kind = static_cast<Kind>(1 + random() % 8);
    op.algorithm = static_cast<Algorithm>(random() % 4);
    op.rank = random() % 5 == 0 ? kNoRank : static_cast<std::uint16_t>(random() % 4);
    op.peer = random() % 2 == 0 ? kNoPeer : static_cast<std::uint16_t>(random() % 4);
    op.status = random() % 20 == 0 ? OpStatus::error : OpStatus::ok;
    op.comm = random() % 3 == 0 ? 0 : 0x7470;
    op.async = random() % 2 == 0;
    op.sequence = i;
  }
  return ops;
}

TEST(Query, AnswersFromStatisticsColumnsAndSqliteAsTheQuestionAllows) {
  const SmallTrace small(SmallTrace::collectives(50));
  const TraceReader trace = small.open();
  EXPECT_EQ(ask(trace, "SELECT count(*) FROM ops").engine, "statistics");
  EXPECT_EQ(ask(trace, "SELECT count(*) FROM ops").rows,
            (std::vector<std::vector<SqlValue>>{{std::int64_t{200}}}));
  EXPECT_EQ(ask(trace, "SELECT sum(bytes) FROM ops WHERE operation = 'all_reduce'").engine,
            "statistics");
  EXPECT_EQ(ask(trace, "SELECT max(bytes) FROM ops").engine, "columns");
  EXPECT_EQ(ask(trace, "SELECT count(*) FROM ops WHERE begin_ns > 100000").engine, "columns");
  EXPECT_EQ(ask(trace, "SELECT rank FROM ops LIMIT 1").engine, "sqlite");
  EXPECT_EQ(ask(trace, "SELECT count(DISTINCT rank) FROM ops").engine, "sqlite");
}

TEST(Query, HasTheTablesBesideOperations) {
  const SmallTrace small(SmallTrace::collectives(50));
  const TraceReader trace = small.open();
  EXPECT_EQ(ask(trace, "SELECT name FROM communicators").rows[0][0],
            SqlValue(std::string("tp, \"main\"")));
  EXPECT_EQ(ask(trace, "SELECT count(*) FROM members").rows[0][0], SqlValue(std::int64_t{8}));
  EXPECT_EQ(ask(trace, "SELECT count(*) FROM marks WHERE type = 'phase'").rows[0][0],
            SqlValue(std::int64_t{1}));
  EXPECT_EQ(ask(trace, "SELECT expected_gbs, measured_gbs FROM links").rows[0],
            (std::vector<SqlValue>{478.0, {}}));
  EXPECT_EQ(ask(trace, "SELECT value FROM measurements").rows[0][0], SqlValue(12.5));
  for (const char* table :
       {"chunks", "processes", "hosts", "devices", "names", "settings", "versions"})
    EXPECT_EQ(ask(trace, fmt::format("SELECT * FROM {}", table)).error, "") << table;
}

TEST(Query, CollectivesNameTheLastRankAndItsSkew) {
  const SmallTrace small(SmallTrace::collectives(50));
  const Answer answer =
      ask(small.open(), "SELECT DISTINCT last_rank, arrived, skew_ns FROM collectives");
  ASSERT_EQ(answer.rows.size(), 1u) << answer.error << show(answer.rows);
  EXPECT_EQ(answer.rows[0],
            (std::vector<SqlValue>{std::int64_t{2}, std::int64_t{4}, std::int64_t{1700}}));
}

TEST(Query, SaysWhatIsWrongWithTheQuestion) {
  const SmallTrace small(SmallTrace::collectives(5));
  const TraceReader trace = small.open();
  EXPECT_THAT(ask(trace, "SELECT nonsense FROM ops").error, HasSubstr("no such column: nonsense"));
  EXPECT_THAT(ask(trace, "SELECT FROM").error, HasSubstr("syntax error"));
  EXPECT_THAT(ask(trace, "DELETE FROM ops").error, HasSubstr("may not be modified"));
  EXPECT_THAT(ask(trace, "CREATE TABLE x(a)").error, HasSubstr("not authorized"));
  EXPECT_THAT(ask(trace, "ATTACH 'x' AS y").error, HasSubstr("not authorized"));
  EXPECT_THAT(ask(trace, "SELECT 1; SELECT 2").error, HasSubstr("one statement"));
  EXPECT_THAT(ask(trace, "").error, HasSubstr("no statement"));
}

TEST(Query, StopsWhenAsked) {
  const SmallTrace small(TraceWorkload(true).take(200'000));
  QueryCallbacks callbacks;
  callbacks.cancelled = [] { return true; };
  const auto stats =
      query(small.open(), "SELECT count(*) FROM ops a, ops b WHERE a.bytes < b.bytes",
            QueryEngine::automatic, callbacks);
  ASSERT_FALSE(stats);
  EXPECT_THAT(stats.error().message, HasSubstr("stopped"));
}

// Conditions that are handed down must not lose rows: compared with the same question asked so that
// nothing can be handed down.
TEST(Query, HandingConditionsDownChangesNothing) {
  const SmallTrace small(varied(5000, 3), 700);
  const TraceReader trace = small.open();
  for (const char* condition :
       {"operation = 'send'", "rank > 1", "rank <= 2 AND peer = 3", "comm_id = '0x7470'",
        "begin_ns BETWEEN 100000 AND 200000", "begin_ns = 5000", "status = 'error'", "rank = '2'",
        "rank = 1.5", "operation > 'b'", "communicator IS NULL", "rank IN (1, 3)"}) {
    const std::string with = fmt::format("SELECT sequence FROM ops WHERE {}", condition);
    const std::string without =
        fmt::format("SELECT sequence FROM (SELECT * FROM ops LIMIT -1) WHERE {}", condition);
    EXPECT_EQ(sorted(ask(trace, with, QueryEngine::sqlite).rows),
              sorted(ask(trace, without, QueryEngine::sqlite).rows))
        << condition;
  }
}

// The fast path against SQLite over the same table, with questions made up at random.
class RandomQuestions {
 public:
  explicit RandomQuestions(std::uint64_t seed) : random_(seed) {}

  std::string next() {
    const int groups = static_cast<int>(any(3));
    std::vector<std::string> keys;
    for (int i = 0; i < groups; ++i)
      keys.push_back(
          pick({"operation", "algorithm", "rank", "peer", "status", "communicator", "async"}));
    std::string items;
    for (const std::string& key : keys) items += key + ", ";
    const int aggregates = 1 + static_cast<int>(any(3));
    for (int i = 0; i < aggregates; ++i)
      items += (i > 0 ? ", " : "") +
               pick({"count(*)", "sum(bytes)", "count(host_duration_ns)", "avg(host_duration_ns)",
                     "min(device_duration_ns)", "max(bytes) AS most", "sum(device_duration_ns)",
                     "max(begin_ns)", "min(bytes)", "count(bytes)", "max(host_duration_ns)"});
    std::string sql = "SELECT " + items + " FROM ops";
    const int conditions = static_cast<int>(any(4));
    for (int i = 0; i < conditions; ++i) sql += (i == 0 ? " WHERE " : " AND ") + condition();
    for (std::size_t i = 0; i < keys.size(); ++i) sql += (i == 0 ? " GROUP BY " : ", ") + keys[i];
    if (any(3) == 0)
      sql += fmt::format(" ORDER BY {}{}", 1 + any(keys.size() + 1), any(2) == 0 ? " DESC" : "");
    return sql;
  }

 private:
  std::uint64_t any(std::uint64_t of) { return random_() % of; }
  std::string pick(std::vector<std::string> from) { return from[any(from.size())]; }
  std::string condition() {
    switch (any(7)) {
      case 0:
        return "operation " + pick({"=", "<>", "<", ">="}) + " '" +
               pick({"send", "copy", "all_reduce", "zzz"}) + "'";
      case 1:
        return fmt::format("rank {} {}", pick({"=", "!=", "<", ">", "<=", ">="}), any(5));
      case 2:
        return fmt::format("begin_ns BETWEEN {} AND {}", any(1'000'000), any(3'000'000));
      case 3:
        return fmt::format("bytes {} {}", pick({"<", ">=", "="}), any(500'000));
      case 4:
        return "status " + pick({"=", "<>"}) + " 'ok'";
      case 5:
        return fmt::format("peer IN ({}, {})", any(4), any(4));
      default:
        return fmt::format("host_duration_ns > {}", any(100'000));
    }
  }
  std::mt19937_64 random_;
};

TEST(Query, FastPathSaysWhatSqliteSays) {
  const SmallTrace traces[] = {SmallTrace(varied(6000, 1), 1000),
                               SmallTrace(SmallTrace::collectives(400)),
                               SmallTrace(varied(3000, 9), 500, false),
                               SmallTrace(varied(6000, 5), 100),  // 60 chunks: several threads
                               SmallTrace(SmallTrace::collectives(1600), 100)};
  std::size_t fast = 0;
  for (const SmallTrace& small : traces) {
    const TraceReader trace = small.open();
    RandomQuestions questions(small.open().operations());
    for (int i = 0; i < 150; ++i) {
      const std::string sql = questions.next();
      const Answer quick = ask(trace, sql);
      const Answer slow = ask(trace, sql, QueryEngine::sqlite);
      ASSERT_EQ(quick.error, slow.error) << sql;
      ASSERT_EQ(quick.columns, slow.columns) << sql;
      ASSERT_EQ(sorted(quick.rows), sorted(slow.rows)) << sql << "\n"
                                                       << quick.engine << "\n"
                                                       << show(quick.rows) << "\nsqlite\n"
                                                       << show(slow.rows);
      fast += quick.engine != "sqlite" ? 1 : 0;
    }
  }
  EXPECT_GT(fast, 680u);
}

TEST(Query, SimpleQuestionsAreOnlyThoseThatAreUnderstoodWhole) {
  for (const char* simple :
       {"select count(*) from ops",
        "SELECT sum(bytes) AS b FROM ops WHERE rank=1 GROUP BY operation ORDER BY b DESC LIMIT 3;",
        "SELECT operation, max(host_duration_ns) FROM ops WHERE begin_ns BETWEEN 1 AND 2 GROUP BY "
        "operation"})
    EXPECT_TRUE(parse_simple(simple)) << simple;
  for (const char* other :
       {"SELECT * FROM ops", "SELECT rank FROM ops", "SELECT count(*) FROM ops, chunks",
        "SELECT count(*)+1 FROM ops", "SELECT count(*) FROM ops WHERE rank=1 OR rank=2",
        "SELECT count(*) FROM ops WHERE rank='1'", "SELECT count(*) FROM ops WHERE operation=3",
        "SELECT sum(rank) FROM ops", "SELECT count(*) FROM ops GROUP BY bytes",
        "SELECT count(*) FROM ops -- comment", "SELECT count(*) FROM ops HAVING 1",
        "SELECT count(*) FROM ops WHERE operation = 'a", "SELECT count(*",
        "SELECT count(*)\v FROM ops", "SELECT count(*) AS order FROM ops", ""})
    EXPECT_FALSE(parse_simple(other)) << other;
}

}  // namespace
}  // namespace peerscope

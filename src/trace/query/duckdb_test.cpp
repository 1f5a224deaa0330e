// Only where libduckdb.so is there.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trace/query/duckdb_api.hpp"
#include "trace/query/duckdb_engine.hpp"
#include "trace/small_trace_for_test.hpp"

namespace peerscope {
namespace {

std::vector<std::vector<SqlValue>> rows_of(const TraceReader& trace, const std::string& sql,
                                           QueryEngine engine) {
  std::vector<std::vector<SqlValue>> rows;
  QueryCallbacks callbacks;
  callbacks.on_row = [&](std::span<const SqlValue> row) {
    rows.emplace_back(row.begin(), row.end());
    return true;
  };
  const auto stats = query(trace, sql, engine, callbacks);
  EXPECT_TRUE(stats) << sql << ": " << (stats ? "" : stats.error().message);
  return rows;
}

class DuckDb : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto api = duck::load_api(); !api) GTEST_SKIP() << api.error().message;
  }
};

TEST_F(DuckDb, AnswersAsSqliteDoes) {
  const SmallTrace small(SmallTrace::collectives(3000), 5000);
  const TraceReader trace = small.open();
  for (const char* sql :
       {"SELECT count(*), sum(bytes), min(begin_ns), max(host_duration_ns) FROM ops",
        "SELECT operation, status, rank, count(*), sum(device_duration_ns) FROM ops GROUP BY 1, 2, "
        "3 ORDER BY 1, 2, 3",
        "SELECT sequence, communicator, comm_id, peer, end_ns, duration_ns FROM ops ORDER BY "
        "begin_ns, rank LIMIT 50",
        "SELECT name, ranks FROM communicators",
        "SELECT count(*) FROM members JOIN processes ON members.process = processes.process"})
    EXPECT_EQ(rows_of(trace, sql, QueryEngine::duckdb), rows_of(trace, sql, QueryEngine::sqlite))
        << sql;
  const auto refused = query(trace, "COPY (SELECT 1) TO '/tmp/peerscope-must-not-exist.csv'",
                             QueryEngine::duckdb, {});
  EXPECT_FALSE(refused);
}

TEST_F(DuckDb, ReadsBackTheParquetThatItWrote) {
  const SmallTrace small(SmallTrace::collectives(3000), 5000);
  const TraceReader trace = small.open();
  const std::string path =
      std::filesystem::temp_directory_path() / fmt::format("peerscope-test-{}.parquet", getpid());
  OpFilter filter;
  filter.rank = 2;
  const auto written = write_parquet(trace, filter, path);
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(*written, 3000u);
  // By DuckDB itself, with access to files.
  const duck::Api& api = **duck::load_api();
  duck::Database database = nullptr;
  duck::Connection connection = nullptr;
  ASSERT_EQ(api.open(nullptr, &database), 0);
  ASSERT_EQ(api.connect(database, &connection), 0);
  duck::QueryResult result{};
  ASSERT_EQ(api.query(connection,
                      fmt::format("SELECT count(*), CAST(sum(bytes) AS BIGINT), CAST(sum(begin_ns) "
                                  "AS BIGINT) FROM '{}'",
                                  path)
                          .c_str(),
                      &result),
            0);
  duck::DataChunk chunk = api.fetch_chunk(result);
  const auto value = [&](duck::Count column) {
    return *static_cast<std::int64_t*>(
        api.vector_get_data(api.data_chunk_get_vector(chunk, column)));
  };
  const auto expected =
      rows_of(trace, "SELECT count(*), sum(bytes), sum(begin_ns) FROM ops WHERE rank = 2",
              QueryEngine::sqlite);
  for (duck::Count i = 0; i < 3; ++i) EXPECT_EQ(SqlValue(value(i)), expected[0][i]);
  api.destroy_data_chunk(&chunk);
  api.destroy_result(&result);
  api.disconnect(&connection);
  api.close(&database);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace peerscope

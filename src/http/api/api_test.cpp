#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/api/contract_for_test.hpp"
#include "http/api/ranks_for_test.hpp"

namespace peerscope::http {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr int kRounds = 120;
constexpr std::uint64_t kOperations = kRounds * (kRanks + 1);

class Api_ : public testing::Test {
 protected:
  Api_() : asked_(ranks_.options()) {
    ranks_.run(kRounds);
    asked_.wait_for(kOperations);
    std::this_thread::sleep_for(std::chrono::milliseconds(60));  // a snapshot has them, too
  }
  Ranks ranks_;
  Asked asked_;
};

// What stands for {names} of paths that exist.
std::string with_values(std::string path) {
  const std::pair<const char*, const char*> values[] = {{"{communicator}", "9"},
                                                        {"{operation}", "all_reduce"},
                                                        {"{sequence}", "10"},
                                                        {"{format}", "csv"},
                                                        {"{id}", "none"}};
  for (const auto& [name, value] : values) {
    if (const std::size_t at = path.find(name); at != std::string::npos)
      path.replace(at, std::string(name).size(), value);
  }
  if (path.find("/profile/compare") != std::string::npos)
    path += "?a=0..1000000000000&b=0..1000000000000";
  if (path.find("/benchmarks/compare") != std::string::npos) path += "?base=a&new=b";
  return path;
}

TEST_F(Api_, EveryAnswerIsAsTheContractSays) {
  const Contract contract;
  int checked = 0;
  for (const auto& [path, methods] : contract.doc()["paths"].items()) {
    if (!methods.contains("get") || path == "/api/v1/stream") continue;
    const Response response = asked_.ask("GET", with_values(path));
    const bool absent = path.find("/benchmarks/") != std::string::npos;
    EXPECT_EQ(response.status, absent ? 404 : 200) << path << ": " << response.body.substr(0, 300);
    const json& content = methods["get"]["responses"]["200"]["content"];
    if (response.status != 200 || !content.contains("application/json")) continue;
    const json body = json::parse(response.body, nullptr, false);
    EXPECT_EQ(contract.fault(content["application/json"]["schema"], body), "")
        << path << ": " << response.body.substr(0, 300);
    ++checked;
  }
  EXPECT_GE(checked, 28);
}

TEST_F(Api_, EveryPathOfTheContractIsThere) {
  const Contract contract;
  for (const auto& [path, methods] : contract.doc()["paths"].items()) {
    if (path == "/api/v1/stream" || path == "/api/v1/login" || path == "/api/v1/logout")
      continue;  // the server's own
    for (const auto& [method, about] : methods.items()) {
      std::string upper = method;
      for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      const int status = asked_.ask(upper, with_values(path), "{}").status;
      EXPECT_NE(status, 405) << upper << " " << path;
      const json body =
          json::parse(asked_.ask(upper, with_values(path), "{}").body, nullptr, false);
      const bool unknown = status == 404 && body["error"]["message"].get<std::string>().find(
                                                "openapi.json lists") != std::string::npos;
      EXPECT_FALSE(unknown) << upper << " " << path;
    }
  }
}

TEST_F(Api_, CountsEveryOperationOnce) {
  EXPECT_EQ(asked_.get("/api/v1/session")["stored"], kOperations);
  const json table = asked_.get("/api/v1/aggregates?by=operation,rank");
  std::uint64_t count = 0;
  for (const json& row : table["rows"]) count += row["count"].get<std::uint64_t>();
  EXPECT_EQ(count, kOperations);
  const json sends = asked_.get("/api/v1/aggregates?operation=send");
  EXPECT_EQ(sends["rows"][0]["count"], kRounds);
  EXPECT_EQ(sends["rows"][0]["errors"], kRounds / 10);
  EXPECT_EQ(sends["rows"][0]["bytes"], kRounds * 65536);
}

TEST_F(Api_, PagesGiveEachOperationOnceAndFiltersHold) {
  std::uint64_t seen = 0;
  std::string next;
  std::int64_t before_ns = 0;
  do {
    const json page =
        asked_.get("/api/v1/operations?limit=70" + (next.empty() ? "" : "&cursor=" + next));
    for (const json& op : page["items"]) {
      EXPECT_GE(op["begin_ns"].get<std::int64_t>(), before_ns - 1'000'000'000);
      before_ns = op["begin_ns"];
    }
    seen += page["items"].size();
    next = page["next"].is_null() ? "" : page["next"].get<std::string>();
  } while (!next.empty());
  EXPECT_EQ(seen, kOperations);
  const json failed =
      asked_.get("/api/v1/operations?status=error&limit=1000&fields=status,rank,peer");
  EXPECT_EQ(failed["items"].size(), kRounds / 10);
  for (const json& op : failed["items"])
    EXPECT_EQ(op, (json{{"status", "no_memory"}, {"rank", 1}, {"peer", 3}}));
}

TEST_F(Api_, NamesTheRankThatComesLast) {
  const json page = asked_.get("/api/v1/collectives?limit=1000");
  int last = 0;
  for (const json& item : page["items"]) last += item["last_rank"] == 2 ? 1 : 0;
  EXPECT_EQ(page["items"].size(), static_cast<std::size_t>(kRounds));
  EXPECT_GE(last, kRounds * 9 / 10);
  const json& one = page["items"][kRounds / 2];
  const json trace = asked_.get(fmt::format(
      "/api/v1/collectives/{}/all_reduce/{}?near={}", one["communicator_id"].get<std::string>(),
      one["sequence"].get<int>(), one["first_ns"].get<std::int64_t>()));
  ASSERT_EQ(trace["ranks"].size(), static_cast<std::size_t>(kRanks)) << trace.dump();
  EXPECT_EQ(trace["ranks"][3]["rank"], 2);
  EXPECT_GE(trace["skew_host_ns"], 250'000);
  EXPECT_FALSE(trace["moves"].empty());
}

TEST_F(Api_, TellsWhatIsInFlightAndThenThatItHangs) {
  const pscope_token token = ranks_.hang();
  json items;
  for (int i = 0; i < 60; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    items = asked_.get("/api/v1/in-flight")["items"];
    if (!items.empty() && !items[0]["finding"].is_null()) break;
  }
  ASSERT_FALSE(items.empty());
  EXPECT_EQ(items[0]["finding"]["kind"], "hang");
  EXPECT_EQ(items[0]["missing"].size(), 3u);
  EXPECT_EQ(asked_.get("/api/v1/overview")["health"]["severity"], "critical");
  ranks_.end(token);
}

TEST_F(Api_, RefusesInOneSentence) {
  const std::pair<const char*, const char*> asked[] = {
      {"/api/v1/operations?limit=0", "limit=0: write a whole number from 1 to 10000"},
      {"/api/v1/operations?limit=x", "whole number"},
      {"/api/v1/operations?operation=dance", "there is no such operation"},
      {"/api/v1/operations?cursor=rubbish", "cursor"},
      {"/api/v1/operations?from=5&to=5", "from is not before to"},
      {"/api/v1/operations?fields=begin_ns,beauty", "fields=beauty: write some of algorithm"},
      {"/api/v1/operations?communicator=nobody", "there are: tp"},
      {"/api/v1/operations?colour=red", "'colour' is unknown; this resource takes"},
      {"/api/v1/aggregates?by=colour", "write some of operation"},
      {"/api/v1/aggregates?resolution=1", "ask for at most"},
      {"/api/v1/percentiles?q=101", "from 0 to 100"},
      {"/api/v1/percentiles?q=42", "kept are 0, 50"},
      {"/api/v1/overview?window=2s", "write one of 10s, 1s, 1m, all"},
      {"/api/v1/collectives/xyz/all_reduce/1", "hexadecimal"},
      {"/api/v1/profile?name=a&from=1", "give one of them"},
      {"/api/v1/profile/compare?a=1..2", "give a and b"},
      {"/api/v1/profile/compare?a=2..1&b=x", "FROM..TO"},
      {"/api/v1/benchmarks/compare", "give base and new"},
      {"/api/v1/session?x=1", "takes no parameters"}};
  for (const auto& [target, words] : asked) {
    const Response response = asked_.ask("GET", target);
    EXPECT_EQ(response.status, 400) << target << ": " << response.body.substr(0, 200);
    const json body = json::parse(response.body, nullptr, false);
    ASSERT_TRUE(body.contains("error")) << target;
    EXPECT_THAT(body["error"]["message"].get<std::string>(), HasSubstr(words)) << target;
  }
}

TEST_F(Api_, UnknownPathsAndMethodsAreToldWhatThereIs) {
  EXPECT_EQ(asked_.ask("GET", "/api/v1/nothing").status, 404);
  EXPECT_EQ(asked_.ask("GET", "/api/v1/exports/floppy").status, 404);
  EXPECT_EQ(asked_.ask("GET", "/api/v1/benchmarks/..%2fetc").status, 404);
  const Response response = asked_.ask("DELETE", "/api/v1/config");
  EXPECT_EQ(response.status, 405);
  EXPECT_THAT(response.headers, testing::Contains(testing::Pair("Allow", "GET, PATCH")));
}

TEST_F(Api_, ConfigurationChangesAllOrNothing) {
  EXPECT_EQ(asked_
                .ask("PATCH", "/api/v1/config",
                     R"({"monitor.level": "basic", "overhead.budget": "900 %"})")
                .status,
            400);
  const auto level = [this] {
    const json config = asked_.get("/api/v1/config");
    for (const json& item : config["items"]) {
      if (item["key"] == "monitor.level")
        return item["value"].get<std::string>() + " " + item["origin"].get<std::string>();
    }
    return std::string();
  };
  EXPECT_EQ(level(), "detailed built-in");
  EXPECT_EQ(asked_.ask("PATCH", "/api/v1/config", R"({"monitor.level": "basic"})").status, 200);
  EXPECT_EQ(level(), "basic run time");
  const Response fixed = asked_.ask("PATCH", "/api/v1/config", R"({"trace.compression": 3})");
  EXPECT_EQ(fixed.status, 400);
  // What is deep would be walked by recursion.
  const std::string deep(500'000, '[');
  EXPECT_EQ(asked_.ask("PATCH", "/api/v1/config", "{\"monitor.level\": " + deep).status, 400);
  EXPECT_THAT(fixed.body, HasSubstr("cannot change while programs run"));
  for (const char* body :
       {"", "[]", "{}", "nonsense", R"({"monitor.level": {}})", R"({"no.such": 1})"})
    EXPECT_EQ(asked_.ask("PATCH", "/api/v1/config", body).status, 400) << body;
}

std::string all_of(const Response& response) {
  std::string text;
  std::string piece;
  while (response.stream(piece)) text += piece;
  return text;
}

TEST_F(Api_, ExportsStreamWhatPasses) {
  const Response response = asked_.ask("GET", "/api/v1/exports/csv?operation=send");
  ASSERT_TRUE(response.stream);
  EXPECT_THAT(response.type, HasSubstr("text/csv"));
  EXPECT_THAT(response.headers, testing::Contains(testing::Pair(
                                    "Content-Disposition", "attachment; filename=\"test.csv\"")));
  const std::string text = all_of(response);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), kRounds + 1) << text.substr(0, 300);
}

TEST_F(Api_, AnExportThatNobodyReadsEnds) {
  Response response = asked_.ask("GET", "/api/v1/exports/json");
  std::string piece;
  ASSERT_TRUE(response.stream(piece));
  response = {};  // its thread is joined here
}

TEST_F(Api_, TimelineHasALaneARankAndEveryOperationOrItsBin) {
  const json ops = asked_.get("/api/v1/timeline?max_operations=20000");
  EXPECT_EQ(ops["operations"].size(), kOperations);
  const json bins = asked_.get("/api/v1/timeline?max_operations=0&bins=50");
  EXPECT_TRUE(bins["operations"].empty());
  std::uint64_t count = 0;
  for (const json& one : bins["bins"]["count"]) count += one.get<std::uint64_t>();
  EXPECT_EQ(count, kOperations);
  EXPECT_GE(bins["lanes"].size(), static_cast<std::size_t>(kRanks));
}

TEST(Served_, EventsDoNotWaitForTheNextSnapshot) {
  const Ranks ranks;
  ServedOptions options = ranks.options();
  options.monitor.publish_every_ns = 3600'000'000'000;
  const auto served = std::move(*Served::open(std::move(options)));
  std::atomic<int> looks = 0, events = 0;
  served->start([&](const Served&) { ++looks; },
                [&](const Served& now, const std::vector<ServedEvent>& fresh) {
                  EXPECT_FALSE(now.events(0, 10, nullptr).empty()) << "a resource knows them, too";
                  events += static_cast<int>(fresh.size());
                });
  for (int i = 0; i < 1000 && looks == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const int before = events;
  ranks.event("here");
  for (int i = 0; i < 1000 && events == before; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(events, before + 1);
  EXPECT_EQ(looks, 1);
  served->stop();
}

TEST_F(Api_, AFileAnswersAsTheSessionDid) {
  const json live = asked_.get("/api/v1/aggregates?by=operation,rank,status");
  asked_.served().stop();
  ServedOptions options;
  options.file = true;
  options.id = "file";
  options.path = ranks_.path();
  Asked file(std::move(options));
  file.wait_for(kOperations);
  for (int i = 0; i < 200 && file.served().analysed_share() < 1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const Response changed = file.ask("PATCH", "/api/v1/config", R"({"monitor.level": "basic"})");
  EXPECT_EQ(changed.status, 400);
  EXPECT_THAT(changed.body, HasSubstr("this is a recording"));
  const json stored = file.get("/api/v1/aggregates?by=operation,rank,status");
  EXPECT_EQ(stored["rows"], live["rows"]);
  const Contract contract;
  for (const char* path : {"/api/v1/session", "/api/v1/overview", "/api/v1/findings",
                           "/api/v1/ranks", "/api/v1/errors"}) {
    const json& schema = contract.doc()["paths"][path]["get"]["responses"]["200"]["content"]
                                       ["application/json"]["schema"];
    EXPECT_EQ(contract.fault(schema, file.get(path)), "") << path;
  }
  EXPECT_EQ(file.get("/api/v1/session")["kind"], "file");
  EXPECT_EQ(file.get("/api/v1/errors")["failed"], kRounds / 10);
}

TEST(ApiText, ScriptsInNamesStayText) {
  const Ranks ranks(kNasty);
  Asked asked(ranks.options());
  ranks.run(20);
  asked.wait_for(100);
  for (const char* path : {"/api/v1/communicators", "/api/v1/operations?limit=5", "/api/v1/session",
                           "/api/v1/snapshot", "/metrics"}) {
    const Response response = asked.ask("GET", path);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_NE(response.type, "text/html") << path;
    if (response.type != "application/json") continue;
    EXPECT_FALSE(json::parse(response.body, nullptr, false).is_discarded()) << path;
  }
}

}  // namespace
}  // namespace peerscope::http

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "source/ras/client.hpp"
#include "source/ras/judge.hpp"
#include "source/ras/reports_for_test.hpp"
#include "source/ras/server_for_test.hpp"

namespace peerscope::ras {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Then = ServerForTest::Then;

ClientOptions at(int port, double timeout_s = 10.0) {
  ClientOptions options;
  options.address = {"127.0.0.1", port};
  options.timeout_s = timeout_s;
  return options;
}

std::string three_ranks(unsigned last = 120) {
  return rank_json(0, 120) + ",\n" + rank_json(1, 120) + ",\n" + rank_json(2, last);
}

std::string error_of(const Result<Report>& report) {
  return report ? "a report came" : report.error().message;
}

TEST(RasClient, AsksForJsonAndReadsToTheEnd) {
  ServerForTest server(kHandshake + report_json(three_ranks()));
  const auto report = fetch_report(at(server.port()));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->nccl_version, "2.28.9");
  EXPECT_EQ(report->timeouts, 1);
  EXPECT_EQ(report->collection_s, 0.012);
  EXPECT_FALSE(report->repaired);
  EXPECT_FALSE(report->partial);
  ASSERT_EQ(report->communicators.size(), 1u);
  const Communicator& comm = report->communicators[0];
  EXPECT_EQ(comm.hash, "0xd4cb1d3d6d1cf2a1");
  EXPECT_EQ(comm.size, 4);
  ASSERT_EQ(comm.ranks.size(), 3u);
  EXPECT_EQ(comm.ranks[1].pid, 4001);
  EXPECT_EQ(comm.ranks[1].status, "RUNNING");
  EXPECT_EQ(comm.ranks[1].launched.at("all_reduce"), 120u);
  EXPECT_TRUE(differences(comm).empty());
  EXPECT_THAT(server.heard(), HasSubstr("SET FORMAT json\nVERBOSE STATUS\n"));
}

TEST(RasClient, RepairsTheJsonOfAMissingRank) {
  for (const bool comma : {false, true}) {
    ServerForTest server(kHandshake + report_json(three_ranks(), missing_json(3, comma), 1));
    const auto report = fetch_report(at(server.port()));
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->repaired, !comma);
    const Communicator& comm = report->communicators[0];
    EXPECT_EQ(comm.missing_count, 1);
    ASSERT_EQ(comm.missing.size(), 1u);
    EXPECT_EQ(comm.missing[0].rank.rank, 3);
    EXPECT_EQ(comm.missing[0].rank.gpu, "3 (NVML 5)");
    EXPECT_EQ(comm.missing[0].unresponsive, true);
    EXPECT_EQ(comm.missing[0].dead, false);
    EXPECT_EQ(comm.ranks.size(), 3u);
  }
}

TEST(RasClient, SeveralMissingRanksAreRepairedEach) {
  std::string text =
      report_json(three_ranks(), missing_json(2, false) + ",\n" + missing_json(3, false), 2);
  EXPECT_TRUE(repair_json(text));
  EXPECT_FALSE(repair_json(text));  // what is right stays
  const auto report = parse_report(text);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->communicators[0].missing.size(), 2u);
}

TEST(RasClient, FallsBackToTextWhereJsonIsUnknown) {
  ServerForTest server(kOldHandshake + kTextWell);
  const auto report = fetch_report(at(server.port()));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->partial);
  EXPECT_EQ(report->nccl_version, "2.27.3");
  EXPECT_EQ(report->communicators_count, 2);
  EXPECT_TRUE(report->communicators.empty());  // nothing is wrong with them
  EXPECT_TRUE(report->lost.empty());
}

TEST(RasClient, AServerThatNeverAnswersEndsAtTheTimeout) {
  ServerForTest server("", Then::stay_silent);
  const auto begin = std::chrono::steady_clock::now();
  const std::string error = error_of(fetch_report(at(server.port(), 0.2)));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_THAT(error, HasSubstr("was not whole after 0.2 s (0 bytes came)"));
  EXPECT_THAT(error, Not(HasSubstr("\n")));
}

TEST(RasClient, AServerThatStopsMidwayIsSaidToHaveBrokenOff) {
  const std::string whole = report_json(three_ranks());
  ServerForTest json(kHandshake + whole.substr(0, whole.size() / 2));
  EXPECT_THAT(error_of(fetch_report(at(json.port()))), HasSubstr("no whole JSON"));
  ServerForTest text(kOldHandshake + std::string(kTextTrouble).substr(0, 400));
  EXPECT_THAT(error_of(fetch_report(at(text.port()))), HasSubstr("broke off after"));
  ServerForTest nothing("");
  EXPECT_THAT(error_of(fetch_report(at(nothing.port()))), HasSubstr("no report came"));
  ServerForTest handshake(kHandshake);
  EXPECT_THAT(error_of(fetch_report(at(handshake.port()))), HasSubstr("no report came"));
}

TEST(RasClient, GarbageIsNoReport) {
  ServerForTest other("HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_THAT(error_of(fetch_report(at(other.port()))),
              HasSubstr("no NCCL RAS: it says 'HTTP/1.1 400 Bad Request'"));
  ServerForTest bytes(std::string("\x00\x1b[2J\xff\xfe", 7));
  EXPECT_THAT(error_of(fetch_report(at(bytes.port()))), HasSubstr("it says '..[2J..'"));
  const auto odd = parse_report(R"({"communicators": [{"ranks": 3, "hash": 5, "size": "x"}, 4]})");
  ASSERT_TRUE(odd);  // of other types: unknown, and no crash
  EXPECT_EQ(odd->communicators[0].hash, "");
}

TEST(RasClient, AnAnswerWithoutEndIsBounded) {
  ServerForTest server(std::string(1 << 16, 'x'), Then::talk_for_ever);
  ClientOptions options = at(server.port());
  options.max_bytes = 1 << 20;
  EXPECT_THAT(error_of(fetch_report(options)), HasSubstr("more than 1048576 bytes"));
}

TEST(RasClient, NothingListeningIsOneSentence) {
  int port = 0;
  {
    ServerForTest server("");
    port = server.port();
  }
  const std::string error = error_of(fetch_report(at(port, 1.0)));
  EXPECT_THAT(error, HasSubstr("no NCCL RAS at 127.0.0.1:" + std::to_string(port) +
                               ": Connection refused"));
  EXPECT_THAT(error, Not(HasSubstr("\n")));
}

TEST(RasAddress, IsReadAsNcclReadsIt) {
  const auto read = [](const char* text) {
    const auto address = parse_address(text);
    return address ? address->host + " " + std::to_string(address->port) : "refused";
  };
  EXPECT_EQ(read("node1:4000"), "node1 4000");
  EXPECT_EQ(read("node1"), "node1 28028");
  EXPECT_EQ(read(":4000"), "localhost 4000");
  EXPECT_EQ(read("[::1]:4000"), "::1 4000");
  EXPECT_EQ(read("[::1]"), "::1 28028");
  EXPECT_EQ(read("::1"), "::1 28028");
  EXPECT_EQ(read("node1:http"), "refused");
  EXPECT_EQ(read("node1:70000"), "refused");
}

TEST(RasReport, NamesWhoIsBehindTheMajority) {
  const auto report = parse_report(report_json(three_ranks(117)));
  ASSERT_TRUE(report);
  const auto differ = differences(report->communicators[0]);
  ASSERT_EQ(differ.size(), 1u);
  EXPECT_EQ(differ[0].collective, "all_reduce");
  EXPECT_TRUE(differ[0].behind());
  EXPECT_THAT(differ[0].ranks, ElementsAre(2));
  EXPECT_EQ(differ[0].launched, 117u);
  EXPECT_EQ(differ[0].majority_launched, 120u);
  EXPECT_EQ(differ[0].majority_count, 2);
}

TEST(RasReport, NamesWhoIsAheadOfTheMajority) {
  const auto report = parse_report(report_json(three_ranks(121)));
  const auto differ = differences(report->communicators[0]);
  ASSERT_EQ(differ.size(), 1u);
  EXPECT_FALSE(differ[0].behind());
  EXPECT_THAT(differ[0].ranks, ElementsAre(2));
}

TEST(RasReport, OfTwoThatDifferTheLowerIsBehind) {
  const auto report = parse_report(report_json(rank_json(0, 5) + ",\n" + rank_json(1, 4)));
  const auto differ = differences(report->communicators[0]);
  ASSERT_EQ(differ.size(), 1u);
  EXPECT_TRUE(differ[0].behind());
  EXPECT_THAT(differ[0].ranks, ElementsAre(1));
}

TEST(RasReport, AnErrorAndAStateHaveWords) {
  const auto report =
      parse_report(report_json(rank_json(0, 5) + ",\n" + rank_json(1, 5, "\"init_state\": 7,") +
                               ",\n" + rank_json(2, 5, "\"init_state\": 6,")));
  ASSERT_TRUE(report);
  const auto& ranks = report->communicators[0].ranks;
  EXPECT_EQ(ranks[1].status, "INIT");
  EXPECT_EQ(ranks[1].error, "");
  EXPECT_EQ(ranks[2].error, "remote process error");
  EXPECT_TRUE(report->communicators[0].status_differs);
}

TEST(RasText, SaysWhoIsMissingDeadAndBehind) {
  const auto report = parse_report(kTextTrouble);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->communicators_count, 2);
  EXPECT_EQ(report->timeouts, 2);
  ASSERT_EQ(report->lost.size(), 2u);
  EXPECT_EQ(report->lost[0].pid, 4006);
  EXPECT_FALSE(report->lost[0].dead);
  EXPECT_EQ(report->lost[1].gpus, "6,7 (NVML 4,5)");
  EXPECT_TRUE(report->lost[1].dead);
  ASSERT_EQ(report->communicators.size(), 2u);
  const Communicator& comm = report->communicators[0];
  EXPECT_EQ(comm.hash, "0xd4cb1d3d6d1cf2a1");
  EXPECT_EQ(comm.size, 8);
  ASSERT_EQ(comm.missing.size(), 1u);
  EXPECT_EQ(comm.missing[0].rank.rank, 6);
  EXPECT_EQ(comm.missing[0].rank.pid, 4006);
  const auto differ = differences(comm);
  ASSERT_EQ(differ.size(), 2u);
  EXPECT_EQ(differ[0].collective, "reduce_scatter");
  EXPECT_THAT(differ[0].ranks, ElementsAre(2));
  EXPECT_EQ(differ[0].launched, 0u);
  EXPECT_EQ(differ[1].collective, "all_reduce");
  EXPECT_THAT(differ[1].ranks, ElementsAre(3, 4));
  EXPECT_EQ(differ[1].majority_launched, 120u);
  EXPECT_EQ(differ[1].majority_count, 5);
}

TEST(RasText, SaysWhichRankFailedAndWhichIsInAnotherState) {
  const auto report = parse_report(kTextTrouble);
  ASSERT_TRUE(report);
  const auto named = [](const Communicator& comm, int number) -> const Rank* {
    for (const Rank& rank : comm.ranks) {
      if (rank.rank == number) return &rank;
    }
    return nullptr;
  };
  const Rank* failed = named(report->communicators[0], 5);
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->error, "Remote process error");
  EXPECT_TRUE(report->communicators[1].status_differs);
  EXPECT_EQ(report->communicators[1].size, 4);
  const Rank* starting = named(report->communicators[1], 1);
  ASSERT_NE(starting, nullptr);
  EXPECT_EQ(starting->status, "INIT");
  EXPECT_EQ(starting->gpu, "1 (NVML 5)");
  EXPECT_EQ(starting->host, "10.0.0.2");
}

TEST(RasText, OfNccl224HasOneCountForAllCollectives) {
  std::string text = kTextTrouble;
  const auto put = [&](std::string_view from, std::string_view to) {
    text.replace(text.find(from), from.size(), to);
  };
  put("different AllReduce operation", "different collective operation");
  put("  Rank 6 -- GPU 6 managed by process 4006 on node 10.0.0.1", "  The missing ranks: 6,7");
  const auto report = parse_report(text);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->communicators[0].groups[0].collective, "any");
  ASSERT_EQ(report->communicators[0].missing.size(), 2u);
  EXPECT_EQ(report->communicators[0].missing[1].rank.rank, 7);
}

std::vector<std::string> sentences(const Result<Report>& report) {
  std::vector<std::string> all;
  for (const Finding& finding : judge(*report)) all.push_back(finding.sentence);
  return all;
}

TEST(RasJudge, NamesTheMissingRankFirstAndThenWhoIsBehind) {
  const auto report = parse_report(report_json(three_ranks(117), missing_json(3, true), 1));
  EXPECT_THAT(sentences(report),
              ElementsAre("Rank 3 of communicator 0xd4cb1d3d6d1cf2a1 does not answer (GPU 3 (NVML "
                          "5), process 4003 on 10.0.0.1).",
                          "Communicator 0xd4cb1d3d6d1cf2a1: rank 2 is behind by 3: 117 launched of "
                          "all_reduce, 120 by 2 others."));
  EXPECT_EQ(judge(*report)[0].subject.rank, 3);
  EXPECT_EQ(judge(*report)[1].subject.operation, "all_reduce");
}

TEST(RasJudge, OfTextItNamesWhatTextNames) {
  const auto all = sentences(parse_report(kTextTrouble));
  EXPECT_THAT(all, testing::Contains("Process 4007 on 10.0.0.1 (GPU 6,7 (NVML 4,5)) is considered "
                                     "dead."));
  EXPECT_THAT(
      all, testing::Contains("Communicator 0xd4cb1d3d6d1cf2a1: 2 ranks (3, 4) are behind by 3: 117 "
                             "launched of all_reduce, 120 by 5 others."));
  EXPECT_THAT(all, testing::Contains(HasSubstr("Rank 5 of communicator 0xd4cb1d3d6d1cf2a1 reports "
                                               "an error: Remote process error")));
}

TEST(RasJudge, WhoHasMovedSinceIsNotBehind) {
  const auto earlier = parse_report(report_json(three_ranks(110)));
  const auto now = parse_report(report_json(three_ranks(117)));
  ASSERT_TRUE(earlier && now);
  EXPECT_TRUE(has_differences(*now));
  EXPECT_TRUE(judge(*now, &*earlier).empty());
  const auto still = judge(*now, &*now);
  ASSERT_EQ(still.size(), 1u);
  EXPECT_GT(still[0].confidence, 0.9);
}

TEST(RasJudge, AHealthyJobHasNoFindings) {
  EXPECT_TRUE(judge(*parse_report(report_json(three_ranks()))).empty());
  EXPECT_TRUE(judge(*parse_report(kTextWell)).empty());
}

}  // namespace
}  // namespace peerscope::ras

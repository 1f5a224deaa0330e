// The configuration means what the parts' own options mean; what is changed at run time arrives.
#include "session/settings.hpp"

#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "record/session_for_test.hpp"
#include "session/live.hpp"

namespace peerscope {
namespace {

Config configured(const std::string& toml) {
  const Result<Config> config = load_text(toml, "test");
  EXPECT_TRUE(config) << (config ? "" : config.error().message);
  return config ? *config : Config();
}

TEST(Settings, BuiltInValuesAreThoseOfTheOptions) {
  const MonitorOptions from = monitor_options(Config());
  const MonitorOptions own;
  EXPECT_EQ(from.aggregate.max_cells, own.aggregate.max_cells);
  EXPECT_EQ(from.aggregate.max_series, own.aggregate.max_series);
  EXPECT_EQ(from.aggregate.max_pairs, own.aggregate.max_pairs);
  EXPECT_EQ(from.aggregate.max_communicators, own.aggregate.max_communicators);
  EXPECT_EQ(from.aggregate.max_ranks, own.aggregate.max_ranks);
  EXPECT_EQ(from.aggregate.max_devices, own.aggregate.max_devices);
  EXPECT_EQ(from.max_events, own.max_events);
  EXPECT_EQ(from.max_details, own.max_details);
  EXPECT_EQ(from.publish_every_ns, own.publish_every_ns);
  EXPECT_EQ(from.phases, own.phases);
  EXPECT_EQ(from.call_sites, own.call_sites);
  EXPECT_EQ(from.events, own.events);
  EXPECT_EQ(from.least_severity, own.least_severity);
  const TraceSettings trace = trace_settings(Config());
  EXPECT_EQ(trace.chunk_operations, TraceSettings().chunk_operations);
  EXPECT_EQ(trace.flush_interval_ns, TraceSettings().flush_interval_ns);
  EXPECT_EQ(trace.summary_interval_ns, TraceSettings().summary_interval_ns);
  EXPECT_EQ(trace.compression, TraceSettings().compression);
  EXPECT_EQ(trace.max_bytes, 0u);
  EXPECT_EQ(trace.max_age_ns, 0);
}

TEST(Settings, BuiltInThresholdsAreThoseOfTheDetectors) {
  EXPECT_EQ(detect_options(Config()), DetectOptions());
}

TEST(Settings, EveryThresholdReachesItsDetector) {
  for (const KeySpec& key : schema()) {
    const std::string name = key.name;
    if (name.rfind("detect.", 0) != 0) continue;
    std::string other;  // within every range, and none of them built in
    switch (key.type) {
      case ValueType::percent:
        other = "42 %";
        break;
      case ValueType::duration:
        other = "77 ms";
        break;
      case ValueType::real:
        other = name == "detect.pair_max_ratio" ? "0.77" : "77.5";
        break;
      default:
        other = "77";
    }
    const auto changed = Config().with({name, other, "test"});
    ASSERT_TRUE(changed) << changed.error().message;
    EXPECT_NE(detect_options(*changed), DetectOptions()) << name << " is of no effect";
  }
}

TEST(Settings, NvmlIsReadUnlessItIsLeftOut) {
  const auto built_in = machine_options(Config());
  ASSERT_TRUE(built_in);
  EXPECT_EQ(built_in->library, nvml::MachineOptions{}.library);
  EXPECT_EQ(machine_options(configured("[source]\nnvml_library = '/x.so'"))->library, "/x.so");
  EXPECT_FALSE(machine_options(configured("[source]\nnvml = false")));
}

TEST(Settings, TheSchemaKnowsEveryOperationAndLevel) {
  for (unsigned kind = 0; kind < 32; ++kind) {
    const std::string text(name(static_cast<Kind>(kind)));
    const std::vector<std::string> known = words_of(find_key("filter.operations")->choices);
    if (text == "?") continue;
    EXPECT_THAT(known, testing::Contains(text));
  }
  for (const char* key : {"filter.operations", "filter.exclude_operations"}) {
    for (const std::string& word : words_of(find_key(key)->choices))
      EXPECT_TRUE(parse_kind(word)) << word;
  }
  for (const std::string& word : words_of(find_key("monitor.level")->choices))
    EXPECT_TRUE(parse_level(word)) << word;
}

TEST(Settings, WhatIsConfiguredIsToldOnAttachAndNothingElse) {
  EXPECT_TRUE(attach_control(Config()).empty());
  const ControlChange change = attach_control(
      configured("monitor.level = 'basic'\noverhead.budget = '0.5 %'\n[filter]\noperations = "
                 "['send', 'recv']\n"
                 "exclude_operations = ['recv']\nexclude_devices = [0]\nmin_bytes = 8\n"
                 "communicators = ['tp']\n"));
  EXPECT_FALSE(change.level);  // of the environment: a program may have its own
  EXPECT_EQ(change.detail_budget_ppm, 5'000u);
  EXPECT_EQ(change.kinds, 1U << PSCOPE_KIND_SEND);
  EXPECT_EQ(change.devices, ~std::uint64_t{1});
  EXPECT_EQ(change.pass_without_device, true);
  EXPECT_EQ(change.min_bytes, 8u);
  EXPECT_FALSE(change.max_bytes);
  EXPECT_EQ(change.communicators->size(), 1u);
  const auto changed = Config().with({"monitor.level", "basic", std::string(kAtRunTime)});
  EXPECT_EQ(attach_control(*changed).level, Level::basic) << "as those that ran at the time";
  const Config silent = configured("monitor.enabled = false");
  EXPECT_EQ(attach_control(silent).level, Level::off);
  EXPECT_EQ(recording_level(silent), Level::off);
  EXPECT_EQ(recording_level(Config()), Level::detailed);
}

class Live : public testing::Test {
 protected:
  Live() : session_(dir_, PSCOPE_LEVEL_COMPREHENSIVE) { options_.collect.dirs = {dir_.path()}; }

  // Looks after the collector's next look at the controls.
  static std::vector<EventView> events_of(Monitor& monitor) {
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    monitor.poll();
    return monitor.snapshot()->events;
  }
  void measure(const MonitorOptions& from) {
    options_ = from;
    options_.collect.dirs = {dir_.path()};
    Monitor monitor(options_);
    const std::uint16_t phase = pscope_name(session_, "reduce");
    const pscope_op op = operation(PSCOPE_KIND_SEND);
    const pscope_token token = pscope_op_begin(session_, &op);
    pscope_op_phase(session_, token, phase);
    pscope_op_end(session_, token, PSCOPE_STATUS_OK);
    pscope_event(session_, PSCOPE_SEVERITY_INFO, phase, 0, 1);
    pscope_event(session_, PSCOPE_SEVERITY_ERROR, phase, 0, 2);
    monitor.poll();
    seen_ = monitor.snapshot();
  }

  RuntimeDir dir_;
  TestSession session_;
  MonitorOptions options_;
  std::shared_ptr<const Snapshot> seen_;
};

TEST_F(Live, ProfileAndDebugSayWhatIsKept) {
  measure(monitor_options(Config()));
  EXPECT_EQ(seen_->phases.size(), 1u);
  EXPECT_EQ(seen_->call_sites.size(), 1u);
  EXPECT_EQ(seen_->events.size(), 2u);
  measure(monitor_options(configured("profile.level = 'detailed'\ndebug.level = 'basic'")));
  EXPECT_EQ(seen_->phases.size(), 1u);
  EXPECT_TRUE(seen_->call_sites.empty());
  ASSERT_FALSE(seen_->events.empty());
  for (const EventView& event : seen_->events) EXPECT_EQ(event.value, 2);
  measure(monitor_options(configured("profile.enabled = false\ndebug.enabled = false")));
  EXPECT_TRUE(seen_->phases.empty());
  EXPECT_TRUE(seen_->events.empty());
  measure(monitor_options(configured("monitor.max_events = 1")));
  EXPECT_EQ(seen_->events.size(), 1u);
}

TEST_F(Live, AChangeIsAnEventAndTheBudgetThatOfTheDetector) {
  Monitor monitor(options_);
  monitor.poll();
  monitor.collector().set_control(
      {.level = Level::basic, .detail_budget_ppm = 20'000, .kinds = 1U << PSCOPE_KIND_SEND});
  std::vector<std::string> names;
  for (const EventView& event : events_of(monitor)) {
    names.push_back(event.name);
    EXPECT_EQ(event.pid, static_cast<std::uint32_t>(getpid()));
  }
  EXPECT_THAT(names, testing::ElementsAre("level comprehensive -> basic",
                                          "detail budget unlimited -> 2.0 %", "filter on"));
  monitor.collector().set_control({.kinds = 0});
  EXPECT_EQ(events_of(monitor).back().name, "filter off");
}

TEST_F(Live, EveryChangeIsLoggedWithWhoOldAndNew) {
  setenv("PEERSCOPE_RUNTIME_DIR", dir_.path().c_str(), 1);
  const Config first = configured("monitor.level = 'basic'");
  EXPECT_EQ(change_live({"job"}, first, "monitor.level").processes, 1);
  const Config second = configured("filter.exclude_operations = ['send']");
  EXPECT_EQ(change_live({"job"}, second, "filter.exclude_operations").processes, 1);
  const Config third = configured("filter.communicators = ['nobody']");
  EXPECT_TRUE(change_live({"job"}, third, "filter.communicators").matches_none);
  EXPECT_EQ(change_live({"other"}, first, "monitor.level").processes, 0);
  unsetenv("PEERSCOPE_RUNTIME_DIR");
  std::ifstream log(dir_.path() + "/" + kChangeLog);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(log, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["key"], "monitor.level");
  EXPECT_EQ(lines[0]["old"], "comprehensive");
  EXPECT_EQ(lines[0]["new"], "basic");
  EXPECT_EQ(lines[0]["session"], "job");
  EXPECT_EQ(lines[0]["uid"], geteuid());
  EXPECT_EQ(lines[0]["pid"], getpid());
  EXPECT_THAT(lines[0]["time"].get<std::string>(), testing::EndsWith("Z"));
  EXPECT_EQ(lines[1]["old"], "[]");
  EXPECT_THAT(lines[1]["new"].get<std::string>(), testing::HasSubstr("recv"));
  EXPECT_THAT(lines[1]["new"].get<std::string>(), testing::Not(testing::HasSubstr("send")));
}

}  // namespace
}  // namespace peerscope

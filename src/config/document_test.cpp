// Documents say what the schema says.
#include "config/document.hpp"

#include <fstream>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "config/assignment.hpp"
#include "config/quantity.hpp"

namespace peerscope {
namespace {

TEST(Document, TheDefaultFileSaysWhatIsBuiltIn) {
  const Result<Config> config = load_text(default_toml(), "default");
  ASSERT_TRUE(config) << config.error().message;
  for (const KeySpec& key : schema()) {
    EXPECT_EQ(config->value(key.name), Config().value(key.name)) << key.name;
    EXPECT_FALSE(config->is_built_in(key.name)) << key.name << " is not in the file";
  }
}

TEST(Document, WhatIsWrittenReadsTheSame) {
  for (const KeySpec& key : schema()) {
    for (const double number : {key.least, key.most, (key.least + key.most) / 3}) {
      if (!key.has_range() || key.type == ValueType::list) continue;
      const bool whole = key.type != ValueType::real && key.type != ValueType::percent;
      const Value value = whole ? Value(static_cast<std::int64_t>(number)) : Value(number);
      std::string text = written(key, value);
      const Assignment given{key.name, text.front() == '"' ? text.substr(1, text.size() - 2) : text,
                             true,     "test",
                             {},       {}};
      const Result<Value> again = convert(key, given);
      ASSERT_TRUE(again) << key.name << " = " << text << ": " << again.error().message;
      if (whole) {
        EXPECT_EQ(*again, value) << key.name;
      } else {
        EXPECT_NEAR(std::get<double>(*again), number, 1e-9 + number * 1e-9) << key.name;
      }
    }
  }
}

TEST(Document, TheConfigurationPageIsUpToDate) {
  std::ostringstream page;
  page << std::ifstream(PSCOPE_SOURCE_DIR "/docs/configuration.md").rdbuf();
  EXPECT_TRUE(page.str() == configuration_markdown())
      << "docs/configuration.md differs from the schema; run ./dev docs";
}

TEST(Document, TheJsonSchemaHasEveryKeyAndItsBuiltInValueFits) {
  const auto root = nlohmann::json::parse(json_schema());
  EXPECT_EQ(root["$schema"], "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(root["additionalProperties"], false);
  std::size_t count = 0;
  for (const auto& section : root["properties"]) {
    EXPECT_EQ(section["additionalProperties"], false);
    count += section["properties"].size();
  }
  EXPECT_EQ(count, schema().size());
  const auto& port = root["properties"]["dashboard"]["properties"]["port"];
  EXPECT_EQ(port["type"], "integer");
  EXPECT_EQ(port["maximum"], 65535);
  EXPECT_EQ(port["default"], 8080);
  const auto& level = root["properties"]["monitor"]["properties"]["level"];
  EXPECT_THAT(level["enum"], testing::Contains("comprehensive"));
}

TEST(Secrets, AreNotShown) {
  const auto as = [](const char* key, const char* value) {
    const Result<Config> config = Config().with({key, value, "--set"});
    return config ? shown(*config, key) : config.error().message;
  };
  EXPECT_EQ(as("alert.webhook_secret", "hush"), "(set)");
  EXPECT_EQ(as("alert.smtp_password", "hush"), "(set)");
  EXPECT_EQ(as("alert.webhook_secret", ""), "\"\"");
  EXPECT_EQ(as("alert.webhook_url", "https://me:hush@example.org/a@b"),
            "\"https://(set)@example.org\"");
  EXPECT_EQ(as("alert.webhook_url", "https://hooks.slack.com/services/T0/B0/X"),
            "\"https://hooks.slack.com\"");
  EXPECT_EQ(as("alert.webhook_url", "https://example.org?token=x"), "\"https://example.org\"");
  EXPECT_EQ(as("alert.webhook_url", ""), "\"\"");
  EXPECT_EQ(as("alert.alertmanager_url", "http://me:hush@a/b"), "\"http://(set)@a/b\"");
  EXPECT_EQ(as("metrics.otlp_headers", "authorization=Bearer hush"), "(set)");
  EXPECT_EQ(as("metrics.otlp_headers", ""), "[]");
  EXPECT_EQ(as("alert.smtp_url", "me@mail"), "\"me@mail\"");
  EXPECT_EQ(as("monitor.interval", "2 s"), "\"2 s\"");
}

TEST(Loopback, IsToldByTheHostAlone) {
  for (const char* url : {"http://127.0.0.1:80/x", "http://localhost", "http://[::1]:1/",
                          "http://me:hush@127.0.0.1:1/x"})
    EXPECT_TRUE(is_loopback(url)) << url;
  for (const char* url : {"http://localhost.example.org", "http://127.example.org/",
                          "http://example.org/127.0.0.1", "http://localhost@example.org/", ""})
    EXPECT_FALSE(is_loopback(url)) << url;
}

TEST(Schema, IsInOrder) {
  std::set<std::string> names, environment;
  std::string section;
  std::set<std::string> closed;
  for (const KeySpec& key : schema()) {
    const std::string name = key.name;
    EXPECT_TRUE(names.insert(name).second) << name << " twice";
    EXPECT_TRUE(environment.insert(environment_name(name)).second) << name;
    for (const std::string& alias : words_of(key.aliases))
      EXPECT_TRUE(environment.insert(alias).second) << alias;
    const std::string of = name.substr(0, name.find('.'));
    EXPECT_TRUE(of == section || closed.insert(of).second) << of << " lies in two places";
    section = of;
    EXPECT_THAT(key.help, testing::EndsWith(".")) << name;
  }
  EXPECT_EQ(closed.size(), sections().size());
  EXPECT_EQ(environment_name("trace.max_bytes"), "PEERSCOPE_TRACE__MAX_BYTES");
}

TEST(Suggestion, NamesWhatIsNearAndNothingElse) {
  EXPECT_EQ(did_you_mean("monitor.levle", {"monitor.level", "trace.dir"}),
            "; did you mean 'monitor.level'?");
  EXPECT_EQ(did_you_mean("weather", {"monitor.level", "trace.dir"}), "");
  EXPECT_EQ(did_you_mean(std::string(100'000, 'x'), {"monitor.level"}), "");
}

TEST(Quantity, DurationsAreReadInTheirUnits) {
  EXPECT_EQ(parse_duration("1 d", ""), 86'400e9);
  EXPECT_EQ(parse_duration(" 2h ", ""), 7'200e9);
  EXPECT_EQ(parse_duration("10", "ms"), 1e7);
  for (const char* bad : {"", "s", "1 m", "1 s 2", "nan", "inf s", "1e3 s", "--1 s", "0x1 s"})
    EXPECT_FALSE(parse_duration(bad, "s")) << bad;
}

}  // namespace
}  // namespace peerscope

// Changing one value of a file leaves all else as it was.
#include "config/edit.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.hpp"

namespace peerscope {
namespace {

std::string edited(const std::string& text, std::string_view key, const std::string& value) {
  const Result<std::string> changed = edit_toml(text, key, value, "file");
  return changed ? *changed : "error: " + changed.error().message;
}

TEST(Edit, ReplacesAValueAndKeepsCommentsAndOrder) {
  EXPECT_EQ(edited("# mine\n[monitor]\n  level = \"basic\"  # why\nmax_events = 3\n",
                   "monitor.level", "off"),
            "# mine\n[monitor]\n  level = \"off\"  # why\nmax_events = 3\n");
  EXPECT_EQ(
      edited("monitor = { level = 'basic', max_events = 3 } # µ\n", "monitor.max_events", "4"),
      "monitor = { level = 'basic', max_events = 4 } # µ\n");
  EXPECT_EQ(edited("trace = { dir = 'µµ', max_age = 1 }", "trace.max_age", "2 d"),
            "trace = { dir = 'µµ', max_age = \"2 d\" }");
}

TEST(Edit, ReplacesAListOfManyLines) {
  EXPECT_EQ(
      edited("[filter]\noperations = [\n  \"send\", # one\n  \"recv\"\n] # end\nmin_bytes = 1\n",
             "filter.operations", "copy"),
      "[filter]\noperations = [\"copy\"] # end\nmin_bytes = 1\n");
}

TEST(Edit, AddsAKeyToItsSection) {
  EXPECT_EQ(
      edited("[monitor]\nlevel = \"off\"\n\n[trace]\ndir = \"x\"\n", "monitor.max_events", "4"),
      "[monitor]\nlevel = \"off\"\nmax_events = 4\n\n[trace]\ndir = \"x\"\n");
  EXPECT_EQ(edited("[ monitor ] # empty\n[trace]", "monitor.max_events", "4"),
            "[ monitor ] # empty\nmax_events = 4\n[trace]\n");
  EXPECT_EQ(edited("monitor.level = \"off\"\n", "monitor.max_events", "4"),
            "monitor.level = \"off\"\nmonitor.max_events = 4\n");
}

TEST(Edit, AddsASectionAtTheEnd) {
  EXPECT_EQ(edited("", "trace.max_bytes", "2G"), "[trace]\nmax_bytes = \"2 GiB\"\n");
  EXPECT_EQ(edited("[monitor]\nlevel = \"off\"", "trace.dir", "a \"b\" \\c"),
            "[monitor]\nlevel = \"off\"\n\n[trace]\ndir = \"a \\\"b\\\" \\\\c\"\n");
}

TEST(Edit, RefusesWhatCannotBeRight) {
  EXPECT_EQ(edited("", "monitor.level", "loud"),
            "error: monitor.level is 'loud'; write off, basic, detailed or comprehensive");
  EXPECT_EQ(edited("[monitor]\nlevl = 1\n", "monitor.max_events", "4"),
            "error: file:2: unknown key 'monitor.levl'; did you mean 'monitor.level'?");
  EXPECT_THAT(edited("[monitor\n", "monitor.level", "off"),
              testing::StartsWith("error: file:1:9: this is not TOML"));
  EXPECT_THAT(edited("filter.min_bytes = 8\n", "filter.max_bytes", "4"),
              testing::HasSubstr("nothing could pass"));
  EXPECT_EQ(
      edited("monitor = { level = 'off' }\n", "monitor.max_events", "4"),
      "error: file cannot be changed without harm; write monitor.max_events = 4 there by hand");
  EXPECT_THAT(edited("trace.dir = \"\"\"\n[filter]\n\"\"\"\n", "filter.min_bytes", "4"),
              testing::HasSubstr("by hand"));
}

TEST(Edit, AFileIsReplacedWholeOrNotAtAll) {
  char dir[] = "/tmp/peerscope-edit-XXXXXX";
  const std::filesystem::path root = mkdtemp(dir);
  const std::string path = root / "new/config.toml";
  const auto text = [&] {
    std::ostringstream all;
    all << std::ifstream(path).rdbuf();
    return all.str();
  };
  ASSERT_TRUE(edit_file(path, "monitor.level", "off"));
  EXPECT_EQ(text(), "[monitor]\nlevel = \"off\"\n");
  EXPECT_FALSE(edit_file(path, "monitor.level", "loud"));
  EXPECT_EQ(text(), "[monitor]\nlevel = \"off\"\n");
  std::filesystem::create_symlink(path, root / "link.toml");
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  ASSERT_TRUE(edit_file(root / "link.toml", "monitor.level", "basic"));
  EXPECT_TRUE(std::filesystem::is_symlink(root / "link.toml"));
  EXPECT_EQ(text(), "[monitor]\nlevel = \"basic\"\n");
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root / "new"), {}), 1);
  EXPECT_FALSE(edit_file(root, "monitor.level", "basic"));
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace peerscope

// The command against a job that is none: what it prints, and what scripts rely on.
#include <csignal>
#include <cstdio>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

#include "source/exllama/fake_for_test.hpp"

namespace peerscope {
namespace {

using exllama::FakeContext;
using exllama::make_file;
using exllama::nap_us;
using exllama::newest;
using exllama::TestDir;
using nlohmann::json;
using testing::HasSubstr;

struct Ran {
  int status = 0;
  std::string out;
};

Ran run(const std::string& arguments) {
  Ran ran;
  FILE* pipe = popen(fmt::format("{} exllama {} 2>&1", PSCOPE_BINARY, arguments).c_str(), "r");
  char buffer[4096];
  for (std::size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    ran.out.append(buffer, got);
  const int status = pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

// Lines are broken to the width of the terminal.
std::string unbroken(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n';
    if (!space || out.empty() || out.back() != ' ') out += space ? ' ' : c;
  }
  return out;
}

// In a process of its own: GPU 1 comes 2 ms after the others, for ever or until it does not come at all.
class FakeJob {
 public:
  FakeJob(const TestDir& dir, int hang_after) : context_(dir.path(), newest()) {
    child_ = fork();
    if (child_ != 0) return;
    for (int i = 0;; ++i) {
      context_.push(8192, 0b111);
      context_.pop();
      context_.arrive(0);
      context_.arrive(2);
      if (i == hang_after) pause();
      nap_us(2000);
      context_.arrive(1);
      context_.release();
      context_.end_pass();
      nap_us(1000);
    }
  }
  ~FakeJob() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  FakeJob(const FakeJob&) = delete;
  FakeJob& operator=(const FakeJob&) = delete;
  [[nodiscard]] pid_t pid() const { return child_; }
  [[nodiscard]] std::string path() const { return context_.path(); }

 private:
  FakeContext context_;
  pid_t child_ = -1;
};

TEST(ExllamaCommand, NamesTheLateGpuInTextAndJson) {
  const TestDir dir;
  const FakeJob job(dir, -1);
  const Ran text = run(fmt::format("--dir {} --seconds 1", dir.path()));
  EXPECT_EQ(text.status, 0);
  EXPECT_THAT(text.out, HasSubstr("ExLlamaV3 v1.1.0 to v1.4.1 · GPUs 0, 1 and 2"));
  EXPECT_THAT(unbroken(text.out), HasSubstr("GPU 1 comes last in 100 %"));
  EXPECT_THAT(text.out, HasSubstr(std::to_string(job.pid())));
  const Ran ran = run(fmt::format("--file {} --pid {} --seconds 1 --json", job.path(), job.pid()));
  ASSERT_EQ(ran.status, 0) << ran.out;
  const json out = json::parse(ran.out);
  ASSERT_EQ(out["contexts"].size(), 1u);
  const json& context = out["contexts"][0];
  EXPECT_EQ(context["layout"], "v1.1.0 to v1.4.1");
  EXPECT_EQ(context["collectives"][0]["operation"], "all_reduce");
  EXPECT_EQ(context["collectives"][0]["wire_bytes"], 8192);
  EXPECT_EQ(context["collectives"][0]["count"], context["all_reduces"]);
  EXPECT_GT(context["all_reduces"], 30);
  EXPECT_EQ(context["collectives"][0]["last"].size(), 1u);
  EXPECT_GT(context["collectives"][0]["last"]["1"], 20);
  // 2 ms, and what the machine adds.
  EXPECT_GT(context["gpus"][1]["alone_mean_host_ns"], 1.5e6);
  EXPECT_GT(context["resolution_p50_ns"], 0);
  EXPECT_EQ(context["findings"][0]["kind"], "straggler");
  EXPECT_EQ(context["findings"][0]["subject"]["device"], 1);
  EXPECT_FALSE(context["sync_timeout"]);
  EXPECT_EQ(out["refused"], json::array());
}

TEST(ExllamaCommand, NamesWhoIsMissingInAHang) {
  const TestDir dir;
  const FakeJob job(dir, 5);
  const Ran ran = run(fmt::format("--dir {} --seconds 1.6", dir.path()));
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(unbroken(ran.out), HasSubstr("GPUs 0 and 2 have been in all_reduce"));
  EXPECT_THAT(unbroken(ran.out), HasSubstr("GPU 1 is missing"));
}

TEST(ExllamaCommand, SaysInWhatAJobDiedThatLeftItsFilesBehind) {
  const TestDir dir;
  const pid_t child = fork();
  if (child == 0) {  // so that it alone has the file mapped
    FakeContext context(dir.path(), newest());
    context.push(8192, 0b111);
    context.pop();
    context.arrive(2);
    kill(getpid(), SIGKILL);
  }
  waitpid(child, nullptr, 0);
  const Ran ran = run(fmt::format("--dir {} --seconds 0.2", dir.path()));
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(unbroken(ran.out), HasSubstr("GPU 2 in all_reduce: GPUs 0 and 1 are missing"));
  const json out =
      json::parse(run(fmt::format("--dir {} --seconds 0.2 --json", dir.path())).out)["contexts"][0];
  EXPECT_TRUE(out["left_behind"]);
  EXPECT_EQ(out["findings"][0]["kind"], "process_died");
}

TEST(ExllamaCommand, SaysWhatItDoesNotReadAndWhatThereIsNot) {
  const TestDir dir;
  const Ran nothing = run(fmt::format("--dir {}", dir.path()));
  EXPECT_EQ(nothing.status, 0);
  EXPECT_THAT(nothing.out, HasSubstr("No ExLlamaV3 job with tensor parallelism in " + dir.path()));
  make_file(dir.path() + "/0123456789abcdef0123456789abcdef_g", 4096);
  const Ran refused = run(fmt::format("--dir {} --json", dir.path()));
  EXPECT_EQ(refused.status, 0);
  EXPECT_THAT(json::parse(refused.out)["refused"][0], HasSubstr("(4096 bytes; _r missing"));
  EXPECT_EQ(run("--file /nowhere/x_g").status, 2);
}

}  // namespace
}  // namespace peerscope

#include "analyze/debug/redact.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peerscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Redact, NamesOfSecrets) {
  for (const char* name : {"HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY", "DB_PASSWORD",
                           "PGPASSFILE", "GOOGLE_APPLICATION_CREDENTIALS", "--api-key",
                           "auth.cookie", "MYSQL_PWD", "metrics.otlp_headers"})
    EXPECT_TRUE(names_a_secret(name)) << name;
  for (const char* name : {"PATH", "PWD", "NCCL_DEBUG", "HOME", "CUDA_VISIBLE_DEVICES", "--ranks",
                           "TOKENIZERS_PARALLELISM", "LD_LIBRARY_PATH"})
    EXPECT_FALSE(names_a_secret(name)) << name;
}

TEST(Redact, VariablesKeepTheirNames) {
  EXPECT_EQ(redact_variable("HF_TOKEN=hf_abc"), "HF_TOKEN=[removed]");
  EXPECT_EQ(redact_variable("NCCL_DEBUG=INFO"), "NCCL_DEBUG=INFO");
  EXPECT_EQ(redact_variable("PROXY=http://me:pw@host:80/x"), "PROXY=http://[removed]@host:80/x");
}

TEST(Redact, UsersAndPasswordsInAddresses) {
  EXPECT_EQ(without_secrets("see https://user:pa-ss@host/p and http://host:80/a@b"),
            "see https://[removed]@host/p and http://host:80/a@b");
  EXPECT_EQ(without_secrets("postgres://u:p/w@db/x"), "postgres://[removed]@db/x");
  EXPECT_EQ(without_secrets("amqp://key@host"), "amqp://[removed]@host");
  EXPECT_EQ(without_secrets("http://[::1]:80/x"), "http://[::1]:80/x");
  EXPECT_EQ(without_secrets("http://"), "http://");
}

TEST(Redact, TokensByTheirLooks) {
  EXPECT_EQ(without_secrets("x eyJhbGciOiJIUzI1NiJ9.e30.abcdefgh y"), "x [removed] y");
  EXPECT_EQ(without_secrets("Authorization: Bearer abc.def"), "Authorization: Bearer [removed]");
  EXPECT_EQ(without_secrets("ghp_0123456789abcdef0123"), "[removed]");
  EXPECT_EQ(without_secrets("?token=abc&n=1"), "?token=[removed]&n=1");
  EXPECT_THAT(without_secrets("a\n-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nb"),
              testing::AllOf(Not(HasSubstr("MIIE")), HasSubstr("a\n"), HasSubstr("\nb")));
}

TEST(Redact, JsonStaysJson) {
  EXPECT_EQ(without_secrets(R"({"command": "run --token=abc", "n": 1})"),
            R"({"command": "run --token=[removed]", "n": 1})");
  EXPECT_EQ(without_secrets(R"({"k": "-----BEGIN X-----\nabc", "n": 1})"),
            R"({"k": "[removed]", "n": 1})");
}

TEST(Redact, CommandLines) {
  EXPECT_THAT(
      redact_words({"train.py", "--api-key", "abc", "--ranks", "4", "--hf-token=xyz"}),
      ElementsAre("train.py", "--api-key", "[removed]", "--ranks", "4", "--hf-token=[removed]"));
  EXPECT_EQ(redact_line("curl --password p http://u:p@h/"),
            "curl --password [removed] http://[removed]@h/");
}

TEST(Redact, SecretsThatSpanWordsOrStandBeforeAnEqualsSign) {
  EXPECT_EQ(redact_variable("https://user:pw@host/d?v=1"), "https://[removed]@host/d?v=1");
  EXPECT_EQ(redact_variable("URL=https://u:p=x@host"), "URL=https://[removed]@host");
  EXPECT_EQ(redact_variable("https://u:p@h/?token=a=b"), "https://[removed]@h/?token=[removed]");
  EXPECT_EQ(redact_line("curl -H Authorization: Bearer abc http://h/"),
            "curl -H Authorization: Bearer [removed] http://h/");
  EXPECT_EQ(redact_line("curl -H Authorization: Basic dXNlcjpwdw== http://h/"),
            "curl -H Authorization: Basic [removed]=[removed] http://h/");
  EXPECT_THAT(redact_words({"x", "--password", "-pw1", "--ranks", "4"}),
              ElementsAre("x", "--password", "[removed]", "--ranks", "4"));
}

TEST(Redact, QuotedValuesMembersAndScripts) {
  EXPECT_EQ(without_secrets("connect(password='hunter 2', n=1)"),
            "connect(password=[removed], n=1)");
  EXPECT_EQ(without_secrets(R"({"password":"x y","ranks":"4"})"),
            R"({"password":"[removed]","ranks":"4"})");
  EXPECT_EQ(without_secrets("{'api_key': 'abc'}"), "{'api_key': '[removed]'}");
  EXPECT_EQ(without_secrets(R"({"command": "x --conf={\"password\":\"p\"}"})"),
            R"({"command": "x --conf={\"password\":\"[removed]\"}"})");
  EXPECT_EQ(redact_variable(R"(CONF={"password":"x"})"), R"(CONF={"password":"[removed]"})");
  EXPECT_THAT(redact_words({"sh", "-c", "x --password hunter2; y"}),
              ElementsAre("sh", "-c", "x --password [removed] y"));
}

TEST(Redact, AnEscapedQuoteDoesNotEndASecret) {
  EXPECT_EQ(without_secrets(R"({"password": "ab\"cd", "n": "1"})"),
            R"({"password": "[removed]", "n": "1"})");
  EXPECT_EQ(without_secrets(R"({"password": "ab\\", "n": "1"})"),
            R"({"password": "[removed]", "n": "1"})");
  EXPECT_EQ(without_secrets(R"(connect(password="ab\"cd", n=1))"),
            "connect(password=[removed], n=1)");
  EXPECT_EQ(without_secrets(R"({"command": "x {\"password\": \"ab\\\"cd\"}", "n": 1})"),
            R"({"command": "x {\"password\": \"[removed]\"}", "n": 1})");
  // Cut off: nothing of it stays.
  EXPECT_EQ(without_secrets(R"({"password": "ab\"cd)"), R"({"password": "[removed])");
  EXPECT_EQ(without_secrets(R"({"command": "token='abc", "n": 1})"),
            R"({"command": "token=[removed]", "n": 1})");
}

TEST(Redact, WhatHoldsNoSecretStays) {
  for (const char* text : {"", "all_reduce 16 KB #41 on tp", "level basic = detailed", "a = b",
                           "rank=3 size=16384", "/usr/lib/x86_64-linux-gnu/libnccl.so.2.28.9"})
    EXPECT_EQ(without_secrets(text), text);
}

}  // namespace
}  // namespace peerscope

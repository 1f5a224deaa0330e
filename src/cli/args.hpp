// Options of one command. A thin face on CLI11, so that only args.cpp pays for compiling it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace peerscope {

// What a command is, for the table in main.cpp and for its help.
struct CommandInfo {
  const char* path;      // "bench record"
  const char* summary;   // one line
  const char* examples;  // lines "  peerscope ...   what it does"
  const char* exits;     // beside 0 and 2: "1  the child ..."; may be empty
};

class Args {
 public:
  Args(const CommandInfo& info, std::vector<std::string> words);
  ~Args();
  Args(const Args&) = delete;
  Args& operator=(const Args&) = delete;

  void flag(const char* names, bool& out, const char* help);
  void text(const char* names, std::string& out, const char* help);
  void texts(const char* names, std::vector<std::string>& out, const char* help);  // repeatable
  void choice(const char* names, std::string& out, const std::vector<std::string>& allowed,
              const char* help);
  void integer(const char* names, int& out, int least, int most, const char* help);
  void real(const char* names, double& out, double least, double most, const char* help);
  void bytes(const char* names, std::uint64_t& out, const char* help);    // "64K"
  void positional(const char* name, std::string& out, const char* help);  // optional
  void positionals(const char* name, std::vector<std::string>& out,
                   const char* help);                                            // any number
  void rest(const char* name, std::vector<std::string>& out, const char* help);  // all after "--"

  // An option that is a setting: "--level" for monitor.level. It wins over all layers; its help and
  // what it takes are those of the key. Read it from config().
  void setting(const char* names, const char* key);

  // This command does not need a configuration that is right: it is not loaded by parse().
  void leave_config();
  // After parse(): all layers, and what --config, --set and options that are settings say.
  [[nodiscard]] const Config& config() const;
  [[nodiscard]] const Sources& sources() const;
  [[nodiscard]] std::string command() const;  // as it was typed: "bench all_reduce -g 4"

  // Empty: go on. Else the exit status: help was asked for (0) or the input is bad (2, one sentence
  // on stderr).
  [[nodiscard]] std::optional<int> parse();

 private:
  std::string load_config();

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

using CommandMain = int (*)(Args& args);

struct Command {
  CommandInfo info;
  CommandMain main;
};

}  // namespace peerscope

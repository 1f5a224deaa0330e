// A line on standard error that renews itself while something takes its time: how far, how long
// still. Only on a terminal.
#pragma once

#include <cstdint>
#include <string>

namespace peerscope {

class Progress {
 public:
  Progress(std::string what, std::uint64_t total);
  ~Progress();  // removes the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(std::uint64_t done);
  void hide();  // until the next update: something else is to be printed

 private:
  std::string what_;
  std::uint64_t total_;
  std::int64_t begin_ns_, next_ns_;
  bool shown_ = false;
};

}  // namespace peerscope

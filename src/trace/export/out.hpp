// Text for exports: numbers without allocation, strings escaped, blocks to the sink.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "trace/export/export.hpp"

namespace peerscope {

class Out {
 public:
  explicit Out(ByteSink& sink) : sink_(sink) { buffer_.reserve(kBlock + 4096); }
  ~Out() { flush(); }
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;

  Out& operator<<(std::string_view text) {
    buffer_.append(text);
    return *this;
  }
  Out& operator<<(char c) {
    buffer_.push_back(c);
    return *this;
  }
  template <std::integral T>
    requires(!std::same_as<T, char> && !std::same_as<T, bool>)
  Out& operator<<(T value) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    buffer_.append(digits, end);
    return *this;
  }
  // Shortest that reads back the same; JSON has no infinities: null.
  Out& operator<<(double value);

  // Call between records: passes full blocks on.
  void pass() {
    if (buffer_.size() >= kBlock) flush();
  }
  void flush() {
    if (!buffer_.empty()) sink_.write(buffer_);
    buffer_.clear();
  }

 private:
  static constexpr std::size_t kBlock = 64 * 1024;
  ByteSink& sink_;
  std::string buffer_;
};

// UTF-8 with what is none replaced by U+FFFD.
std::string clean_utf8(std::string_view text);
std::string json_string(std::string_view text);  // with its quotes
std::string xml_text(std::string_view text);     // also for attributes
std::string csv_field(std::string_view text);    // quoted where it has to be (RFC 4180)

// Microseconds with the fraction of a nanosecond count: "12345.678".
struct Micros {
  std::int64_t ns;
};
Out& operator<<(Out& out, Micros time);

// Runs over operations and marks with progress; stops for nothing.
template <class OnOps, class OnMarks>
Result<ExportCounts> export_all(const TraceReader& trace, const ExportOptions& options,
                                OnOps on_ops, OnMarks on_marks) {
  ExportCounts counts;
  const Status ops = trace.for_each_ops(options.filter, [&](std::span<const Op> batch) {
    on_ops(batch);
    counts.operations += batch.size();
    if (options.progress) options.progress(counts.operations);
    return true;
  });
  if (!ops) return ops.error();
  const Status marks = trace.for_each_marks([&](std::span<const Mark> batch) {
    for (const Mark& mark : batch) {
      const bool in_time =
          mark.at_ns >= options.filter.from_ns && mark.at_ns < options.filter.to_ns;
      if (!in_time) continue;
      if (on_marks(mark)) ++counts.marks;
    }
    return true;
  });
  if (!marks) return marks.error();
  return counts;
}

const char* name(MarkType type);

}  // namespace peerscope

#include "cli/trace_files.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "base/units.hpp"
#include "config/document.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

class FileSink final : public ByteSink {
 public:
  explicit FileSink(std::string path) : path_(std::move(path)) {
    if (path_ == "-") file_ = stdout;
  }
  ~FileSink() override { close(); }
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  void write(std::string_view bytes) override {
    if (!open() || bytes.empty()) return;
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) fail("write to");
  }

  Status finish() override {
    if (open() && std::fflush(file_) != 0) fail("write to");
    close();
    if (!problem_.empty()) return Error{ErrorCode::io, problem_};
    return Done{};
  }

 private:
  bool open() {
    if (file_ == nullptr && problem_.empty()) {
      file_ = std::fopen(path_.c_str(), "we");
      if (file_ == nullptr) fail("make");
    }
    return problem_.empty();
  }
  void fail(const char* what) {
    if (problem_.empty())
      problem_ = fmt::format("cannot {} {}: {}", what, path_ == "-" ? "standard output" : path_,
                             std::strerror(errno));
  }
  void close() {
    if (file_ != nullptr && file_ != stdout && std::fclose(file_) != 0) fail("write to");
    file_ = nullptr;
  }

  std::string path_, problem_;
  std::FILE* file_ = nullptr;
};

}  // namespace

bool names_a_file(const std::string& argument) {
  std::error_code error;
  return ends_with(argument, ".pscope") || argument.find('/') != std::string::npos ||
         std::filesystem::is_regular_file(argument, error);
}

bool wants_report(const std::string& out) { return ends_with(out, ".json"); }

TraceWriterOptions writer_options(const Config& config) {
  const TraceSettings settings = trace_settings(config);
  TraceWriterOptions options;
  options.max_bytes = settings.max_bytes;
  options.max_age_ns = settings.max_age_ns;
  options.chunk_operations = settings.chunk_operations;
  options.flush_interval_ns = settings.flush_interval_ns;
  options.compression = settings.compression;
  options.time_step_ns = settings.time_step_ns;
  return options;
}

std::vector<TraceSetting> settings_in_force(const Config& config) {
  std::vector<TraceSetting> settings;
  for (const KeySpec& key : schema()) {
    const std::string name(key.name);
    settings.push_back({name, shown(config, name), config.origin(name)});
  }
  return settings;
}

Result<std::shared_ptr<Recording>> start_recording(const Config& config, const std::string& path,
                                                   const std::string& command) {
  RecordingOptions options;
  options.path = path;
  options.writer = writer_options(config);
  options.summary_interval_ns = trace_settings(config).summary_interval_ns;
  options.command = command;
  options.settings = settings_in_force(config);
  return Recording::start(std::move(options));
}

std::string recorded_line(const TraceView& view) {
  std::string line = fmt::format("  wrote {} operations to {} ({}", format_count(view.operations),
                                 view.path, format_bytes(view.bytes));
  if (view.operations > 0) {
    line += fmt::format(", {:.2f} bytes an operation",
                        static_cast<double>(view.bytes) / static_cast<double>(view.operations));
  }
  line += ")\n";
  if (view.not_written > 0) {
    line += fmt::format("  {} operations could not be written{}{}\n",
                        format_count(view.not_written), view.why.empty() ? "" : ": ", view.why);
  }
  return line;
}

std::optional<TraceReader> open_trace(const char* command, const std::string& path) {
  auto trace = TraceReader::open(path);
  if (!trace) {
    fmt::print(stderr, "peerscope {}: {}\n", command, trace.error().message);
    return std::nullopt;
  }
  if (const std::string note = trace->note(); !note.empty())
    fmt::print(stderr, "peerscope {}: {}\n", command, note);
  return std::move(*trace);
}

std::unique_ptr<ByteSink> make_sink(const std::string& path) {
  return std::make_unique<FileSink>(path);
}

}  // namespace peerscope

// peerscope import: somebody else's measurements as a trace.
#include "trace/import/import.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/trace_files.hpp"
#include "session/replay.hpp"
#include "session/settings.hpp"
#include "session/summary.hpp"

namespace peerscope {
namespace {

struct ImportArguments {
  std::string path, from = "auto", out;
  bool json = false;
};

std::string formats() {
  std::string all = "auto";
  for (const Importer& importer : importers()) all += ", " + std::string(importer.name);
  return all;
}

// Writes what comes to the trace, and analyses it on the way.
class Importing final : public ImportSink {
 public:
  Importing(TraceWriter writer, const MonitorOptions& options)
      : writer_(std::move(writer)), replay_(options) {}

  void on_ops(std::span<const Op> ops) override {
    writer_.add(ops);
    replay_.add(ops);
  }
  void on_mark(const Mark& mark) override {
    writer_.add(mark);
    replay_.add(mark);
  }
  void on_meta(const TraceMeta& meta) override { meta_ = meta; }

  Status finish() {
    writer_.set_meta(meta_);
    writer_.set_summary(to_summary(replay_.finish(meta_)));
    return writer_.close();
  }
  [[nodiscard]] const TraceWriterStatus& status() const { return writer_.status(); }
  [[nodiscard]] std::size_t measurements() const { return meta_.measurements.size(); }

 private:
  TraceWriter writer_;
  Replay replay_;
  TraceMeta meta_;
};

struct Input {
  explicit Input(const std::string& path)
      : file(path == "-" ? stdin : std::fopen(path.c_str(), "re")) {}
  ~Input() {
    if (file != nullptr && file != stdin) std::fclose(file);
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  // The head again, then the rest.
  std::size_t read(std::span<char> out) {
    if (at < head.size()) {
      const std::size_t n = std::min(out.size(), head.size() - at);
      std::memcpy(out.data(), head.data() + at, n);
      at += n;
      return n;
    }
    return std::fread(out.data(), 1, out.size(), file);
  }

  std::FILE* file;
  std::string head;
  std::size_t at = 0;
};

const Importer* choose(const ImportArguments& arguments, Input& input) {
  constexpr std::size_t kHead = 64 * 1024;
  input.head.resize(kHead);
  input.head.resize(std::fread(input.head.data(), 1, kHead, input.file));
  if (arguments.from != "auto") {
    const Importer* importer = find_importer(arguments.from);
    if (importer == nullptr)
      fmt::print(stderr, "peerscope import: there is no format '{}'; formats: {}\n", arguments.from,
                 formats());
    return importer;
  }
  const Importer* importer = recognise(input.head);
  if (importer == nullptr)
    fmt::print(stderr,
               "peerscope import: {} is in no format that is known; say which with --from: {}\n",
               arguments.path, formats());
  return importer;
}

void print_result(const ImportArguments& arguments, const Importer& importer,
                  const ImportCounts& counts, const Importing& target) {
  if (arguments.json) {
    fmt::print("{}\n", nlohmann::json{{"path", arguments.out},
                                      {"format", importer.name},
                                      {"records", counts.records},
                                      {"operations", counts.operations},
                                      {"measurements", target.measurements()},
                                      {"skipped", counts.skipped},
                                      {"bad", counts.bad},
                                      {"first_problem", counts.first_problem}}
                           .dump(2));
    return;
  }
  fmt::print("  {}: {} operations and {} measurements to {}\n", importer.name,
             format_count(counts.operations), format_count(target.measurements()), arguments.out);
  if (counts.bad > 0)
    fmt::print("  {} records could not be understood; the first: {}\n", format_count(counts.bad),
               counts.first_problem);
  fmt::print("  next: peerscope report {}\n", arguments.out);
}

int import_main(Args& args) {
  ImportArguments arguments;
  const std::string from_help = "format: " + formats();
  args.positional("file", arguments.path, "what another program wrote; - is standard input");
  args.text("--from", arguments.from, from_help.c_str());
  args.text("-o,--out", arguments.out, "the trace (default: FILE with .pscope)");
  args.flag("--json", arguments.json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  const auto fail = [](const std::string& why) {
    fmt::print(stderr, "peerscope import: {}\n", why);
    return 2;
  };
  if (arguments.path.empty())
    return fail("which file? Write: peerscope import FILE -o TRACE.pscope");
  Input input(arguments.path);
  std::error_code error;
  if (input.file == nullptr || std::filesystem::is_directory(arguments.path, error))
    return fail(fmt::format("cannot read {}: {}", arguments.path,
                            input.file == nullptr ? std::strerror(errno) : "it is a directory"));
  const Importer* importer = choose(arguments, input);
  if (importer == nullptr) return 2;
  if (arguments.out.empty())
    arguments.out =
        arguments.path == "-"
            ? "imported.pscope"
            : std::filesystem::path(arguments.path).replace_extension("pscope").string();
  // Under another name until all is well: a file that was there before stays.
  const std::string unfinished = arguments.out + ".new";
  auto writer = TraceWriter::create(unfinished, writer_options(args.config()));
  if (!writer) return fail(writer.error().message);
  Importing target(std::move(*writer), monitor_options(args.config()));
  Result<ImportCounts> counts = ImportCounts{};
  {
    Progress progress("reading " + arguments.path, 0);
    const auto source = [&](std::span<char> out) {
      progress.update(target.status().operations);
      return input.read(out);
    };
    counts = importer->run(source, {arguments.path}, target);
  }
  const Status finished = target.finish();
  if (!counts || !finished) {
    std::filesystem::remove(unfinished, error);
    return fail(!counts ? fmt::format("{}: {}", arguments.path, counts.error().message)
                        : finished.error().message);
  }
  std::filesystem::rename(unfinished, arguments.out, error);
  if (error) return fail(fmt::format("cannot make {}: {}", arguments.out, error.message()));
  print_result(arguments, *importer, *counts, target);
  return 0;
}

}  // namespace

const Command kImportCommand{
    {"import",
     "a trace from what another program wrote: NCCL Inspector, Kineto, nccl-tests, nvbandwidth",
     "  peerscope import node1-pid4711.log -o run.pscope        NCCL Inspector's JSON lines\n"
     "  peerscope import trace.json --from chrome               torch.profiler\n"
     "  all_reduce_perf -g 8 | peerscope import - -o bench.pscope\n",
     ""},
    import_main};

}  // namespace peerscope

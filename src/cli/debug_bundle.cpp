// peerscope debug bundle: one archive with all that somebody needs who was not there.
#include <ctime>
#include <filesystem>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.hpp"
#include "cli/bundle_parts.hpp"
#include "cli/commands.hpp"
#include "cli/render.hpp"
#include "cli/select.hpp"
#include "cli/temporary_folder.hpp"
#include "cli/trace_files.hpp"
#include "record/ticks.hpp"

namespace peerscope {
namespace {

struct BundleOptions {
  std::string wanted, out;
  std::uint64_t trace_bytes = std::uint64_t{32} << 20;
  bool json = false;
};

int complain(const std::string& sentence) {
  fmt::print(stderr, "peerscope debug bundle: {}\n", sentence);
  return 2;
}

std::string default_name(const DebugSource& source, std::int64_t now_s) {
  const std::string of = source.path.empty()
                             ? (source.sessions.empty() ? "session" : source.sessions.front())
                             : std::filesystem::path(source.path).stem().string();
  return fmt::format("peerscope-{}-{:%Y%m%d-%H%M%S}.tar.zst", of,
                     fmt::localtime(static_cast<std::time_t>(now_s)));
}

std::string readme_of(const std::vector<BundlePart>& parts, const std::string& of) {
  std::string text = fmt::format(
      "A bundle of {}, written by peerscope for a bug report.\n\n"
      "Values that are secrets by their name (TOKEN, SECRET, KEY, PASS, ...) or by their looks,\n"
      "and users and passwords in addresses, are removed. Names of hosts, users, paths and\n"
      "programs are not. Look through it before you pass it on.\n\n",
      of);
  for (const BundlePart& part : parts)
    text += fmt::format("{:<18} {}\n", part.file.name, part.about);
  return text;
}

// Of a session: what the rings hold, written to a file first.
Result<std::shared_ptr<Recording>> record_to(const std::string& path, const Config& config) {
  return start_recording(config, path,
                         "peerscope debug bundle");  // its parts, too, go with the folder
}

void print(const std::vector<BundlePart>& parts, const std::string& path, std::uint64_t bytes) {
  const Style style = terminal_style();
  fmt::print("  wrote {} ({})\n\n", paint(style, "1", path), format_bytes(bytes));
  std::vector<std::vector<std::string>> rows{{"file", "what", "size"}};
  for (const BundlePart& part : parts)
    rows.push_back({part.file.name, part.about, format_bytes(part.file.bytes.size())});
  fmt::print("{}", table(rows, 2, style));
  const std::string warning =
      "Secrets by name or looks are removed; names of hosts, users and paths are not. Look through "
      "it before you pass it on: tar xf " +
      path;
  fmt::print("\n  {}\n",
             wrap(warning, static_cast<std::size_t>(std::max(style.width, 60)) - 2, "  "));
}

int debug_bundle_main(Args& args) {
  BundleOptions options;
  args.positional("session", options.wanted, kDebugSourceHelp);
  args.text("-o,--out", options.out,
            "the archive: NAME.tar.zst, NAME.tar.gz or NAME.tar (default: "
            "peerscope-SESSION-TIME.tar.zst)");
  args.bytes("--trace-bytes", options.trace_bytes, "at most about so much of the trace");
  args.flag("--json", options.json, "print what was written as one JSON object");
  if (const auto status = args.parse()) return *status;
  if (!options.out.empty()) {
    if (const std::string problem = archive_problem(options.out); !problem.empty())
      return complain(problem);
  }
  umask(S_IRWXG | S_IRWXO);  // for nobody else's eyes
  const Config& config = args.config();
  const TemporaryFolder folder;
  if (folder.path().empty())
    return complain("no folder can be made for temporary files: set TMPDIR");
  DebugSourceOptions with;
  const bool of_file = names_a_file(options.wanted);
  if (!of_file) {
    if (const auto sessions = select_sessions(options.wanted); !sessions)
      return complain(sessions.error().message);
    auto recording = record_to(folder.path() + "/recorded.pscope", config);
    if (!recording) return complain(recording.error().message);
    with.recording = std::move(*recording);
    with.machine = true;
  }
  auto source = open_debug_source("debug bundle", options.wanted, config,
                                  make_debug_watch(config, EventSeverity::trace), with);
  if (!source) return 2;
  if (source->monitor) {
    source->monitor->finish();  // writes the rest, and takes the machine's last reading
    source->snapshot = source->monitor->snapshot();
  }
  source->watch->finish();
  std::vector<BundlePart> parts = analysis_parts(*source);
  for (BundlePart& part : machine_parts(*source, config)) parts.push_back(std::move(part));
  Result<BundlePart> trace =
      trace_part(of_file ? options.wanted : folder.path() + "/recorded.pscope",
                 folder.path() + "/tail.pscope", options.trace_bytes);
  if (!trace) return complain(trace.error().message);
  parts.push_back(std::move(*trace));
  const auto now_s = static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME) / 1'000'000'000);
  if (options.out.empty()) options.out = default_name(*source, now_s);
  const std::string of = of_file ? options.wanted : "session " + source->sessions.front();
  parts.insert(parts.begin(), {{"README.txt", readme_of(parts, of)}, "what is in here"});
  std::vector<ArchiveFile> files;
  for (const BundlePart& part : parts) files.push_back(part.file);
  if (const Status written = write_archive(options.out, files, now_s); !written)
    return complain(written.error().message);
  const std::uint64_t bytes = std::filesystem::file_size(options.out);
  if (!options.json) {
    print(parts, options.out, bytes);
    return 0;
  }
  nlohmann::json out = {
      {"path", options.out}, {"bytes", bytes}, {"files", nlohmann::json::array()}};
  for (const BundlePart& part : parts)
    out["files"].push_back(
        {{"name", part.file.name}, {"bytes", part.file.bytes.size()}, {"about", part.about}});
  print_json(out);
  return 0;
}

}  // namespace

const Command kDebugBundleCommand{
    {"debug bundle", "one archive to attach to a bug report, secrets removed",
     "  peerscope debug bundle                         of the newest session\n"
     "  peerscope debug bundle run.pscope -o bug.tar.gz\n"
     "  tar tf bug.tar.gz                              what is in it\n",
     ""},
    debug_bundle_main};

}  // namespace peerscope

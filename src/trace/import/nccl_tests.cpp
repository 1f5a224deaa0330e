// The table that nccl-tests prints, in its old and new forms. A row gives two operations, out of
// place and in place: their time is the average over the iterations, as the host measured it. The
// table has no times of day: rows follow one another.
#include "trace/import/nccl_tests.hpp"

#include <cmath>

#include <fmt/format.h>

#include "trace/import/formats.hpp"
#include "trace/import/input.hpp"

namespace peerscope {

bool recognises_nccl_tests(std::string_view head) {
  return head.find("# nThread") != std::string_view::npos ||
         head.find("# Using devices") != std::string_view::npos ||
         (head.find("out-of-place") != std::string_view::npos &&
          head.find("algbw") != std::string_view::npos);
}

NcclTestRows::NcclTestRows(ImportSink& sink) : batch_(sink) {
  meta_.tool = "nccl-tests";
  meta_.hosts.push_back({});
}

void NcclTestRows::add(const NcclTestRow& row, const char* place, const NcclTestTime& time,
                       ImportCounts& counts) {
  Op op;
  op.kind = row.kind;
  op.bytes = row.bytes;
  op.dtype = row.dtype;
  op.backend = Backend::nccl;
  op.ranks = static_cast<std::uint16_t>(std::min<std::size_t>(ranks_, kNoRank));
  op.weight = std::max<std::uint32_t>(1, iterations_);
  if (row.root >= 0 && row.root < kNoPeer && has_root(row.kind))
    op.peer = static_cast<std::uint16_t>(row.root);
  op.comm = 1;
  op.sequence = sequence_++;
  op.begin_ns = now_ns_;
  op.host_duration_ns = ns_of_us(time.us);
  op.status = time.wrong > 0 ? OpStatus::error : OpStatus::ok;
  // Where the iterations took longer than there are nanoseconds to count, time stands still.
  if (op.host_duration_ns > 0 && op.host_duration_ns < (std::int64_t{1} << 40))
    now_ns_ += op.host_duration_ns * op.weight;
  batch_.add(op);
  ++counts.operations;
  const std::string test = fmt::format("{} {}", name(row.kind), place);
  for (const auto& [what, value] :
       {std::pair("algbw", time.algbw), std::pair("busbw", time.busbw)}) {
    if (value)
      meta_.measurements.push_back(
          {"nccl-tests", test + " " + what, "GB/s", *value, -1, -1, row.bytes});
  }
}

void NcclTestRows::add_device(const TraceDevice& device) {
  if (meta_.devices.size() < 65'535) meta_.devices.push_back(device);
}

void NcclTestRows::finish(ImportSink& sink) {
  batch_.flush();
  note_member(meta_, 1, "nccl-tests",
              static_cast<std::uint16_t>(std::min<std::size_t>(ranks_, kNoRank)), {});
  sink.on_meta(meta_);
}

namespace {

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while ((at = line.find_first_not_of(" \t", at)) != std::string::npos && words.size() < 64) {
    const std::size_t end = std::min(line.find_first_of(" \t", at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

// "all_reduce" of ".../all_reduce_perf -b 8", else empty.
std::string perf_name(const std::string& line) {
  const std::size_t end = line.find("_perf");
  if (end == std::string::npos) return {};
  std::size_t begin = end;
  while (begin > 0 &&
         (std::islower(static_cast<unsigned char>(line[begin - 1])) != 0 || line[begin - 1] == '_'))
    --begin;
  return line.substr(begin, end - begin);
}

std::optional<std::uint32_t> number_after(const std::string& line, const std::string& key) {
  const std::size_t at = line.find(key);
  if (at == std::string::npos) return std::nullopt;
  const std::size_t begin = line.find_first_not_of(" :", at + key.size());
  if (begin == std::string::npos) return std::nullopt;
  const std::size_t end = std::min(line.find_first_not_of("0123456789", begin), line.size());
  const auto value = parse_real(std::string_view(line).substr(begin, end - begin));
  return value && *value < 4e9 ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
}

class Table {
 public:
  Table(ImportSink& sink, const ImportOptions& options) : rows_(sink) {
    rows_.kind = kind_of_name(perf_name(options.name));
    if (rows_.kind == Kind::other) rows_.kind = kind_of_name(options.name);
  }

  std::string add(const std::string& line, ImportCounts& counts) {
    if (const std::string found = perf_name(line); !found.empty()) rows_.kind = kind_of_name(found);
    if (line[0] == '#') {
      comment(line);
      return {};
    }
    const std::vector<std::string> words = words_of(line.substr(0, line.find('#')));
    const auto bytes = words.empty() ? std::nullopt : parse_real(words[0]);
    if (!bytes || words.size() < 7) {
      ++counts.skipped;  // other programs' output around the table
      return {};
    }
    return row(words, *bytes, counts);
  }

  NcclTestRows& rows() { return rows_; }

 private:
  void comment(const std::string& line) {
    if (line.find("nThread") != std::string::npos) {
      // "warmup iters: 5 iters: 20 agg iters: 1": the second.
      const std::size_t warmup = line.find("warmup iters: ");
      const std::size_t from = warmup == std::string::npos ? 0 : warmup + 14;
      if (const auto iterations = number_after(line.substr(from), " iters: "))
        rows_.set_iterations(*iterations);
    }
    if (line.find("#wrong") != std::string::npos) counts_wrong_ = true;
    if (line.find(" Rank ") != std::string::npos && line.find("device") != std::string::npos)
      rank(line);
  }

  // "#  Rank  0 Group  0 Pid   6899 on node-1 device  0 [0000:04:00] NVIDIA H100 80GB HBM3"
  void rank(const std::string& line) {
    TraceDevice device;
    if (const auto index = number_after(line, "device"))
      device.index = static_cast<std::uint16_t>(*index);
    const std::size_t open = line.find('[');
    const std::size_t close = line.find(']', open);
    if (open != std::string::npos && close != std::string::npos) {
      device.pci_bus_id = line.substr(open + 1, close - open - 1);
      const std::size_t name = line.find_first_not_of(' ', close + 1);
      if (name != std::string::npos) device.name = line.substr(name);
    }
    rows_.add_device(device);
    rows_.add_rank();
  }

  // size count type [redop] [root], then time algbw busbw wrong, once or twice.
  std::string row(const std::vector<std::string>& words, double bytes, ImportCounts& counts) {
    if (!(bytes >= 0) || bytes > 1e18 || std::floor(bytes) != bytes) return "its size is no size";
    NcclTestRow row;
    row.kind = rows_.kind;
    row.bytes = static_cast<std::uint64_t>(bytes);
    row.dtype = dtype_of_name(words[2]);
    const std::size_t times = words.size() >= 11 ? 8 : 4;
    const std::size_t first = words.size() - times;
    if (first < 3) return "it has too few columns";
    for (std::size_t i = 3; i < first; ++i) {
      if (const auto root = parse_real(words[i]))
        row.root = static_cast<int>(std::clamp(*root, -1.0, 70000.0));
    }
    const char* const places[] = {"out-of-place", "in-place"};
    bool any = false;
    for (std::size_t place = 0; place < times / 4; ++place) {
      const std::size_t at = first + 4 * place;
      const auto us = parse_real(words[at]);
      if (!us) continue;  // "N/A"
      NcclTestTime time{*us, parse_real(words[at + 1]), parse_real(words[at + 2]), 0};
      if (counts_wrong_) time.wrong = parse_real(words[at + 3]).value_or(0);
      rows_.add(row, places[place], time, counts);
      any = true;
    }
    if (any) ++counts.records;
    return any ? "" : "it has no time";
  }

  NcclTestRows rows_;
  bool counts_wrong_ = false;  // the column is a number of wrong values, not an error
};

}  // namespace

Result<ImportCounts> import_nccl_tests(const ByteSource& source, const ImportOptions& options,
                                       ImportSink& sink) {
  ImportCounts counts;
  Table table(sink, options);
  Lines lines(source);
  for (std::string line; lines.next(line);) {
    if (line.empty()) continue;
    const std::string why = table.add(line, counts);
    if (!why.empty()) note_bad(counts, fmt::format("line {}: {}", lines.number(), why));
  }
  if (counts.operations == 0)
    return Error{ErrorCode::corrupt,
                 counts.bad == 0 ? "there is no row of results in it" : counts.first_problem};
  table.rows().finish(sink);
  return counts;
}

}  // namespace peerscope

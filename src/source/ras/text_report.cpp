// The text of NCCL 2.24 to 2.28.6, as far as it matters: it names communicators and ranks only where
// something is wrong. Lines that are not known are passed over.
#include <cstdlib>

#include <fmt/format.h>

#include "source/ras/report.hpp"

namespace peerscope::ras {
namespace {

// Reads one line from left to right. A word that does not fit leaves it where it was.
class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) { skip_blanks(); }

  bool word(std::string_view wanted) {
    if (rest_.substr(0, wanted.size()) != wanted) return false;
    rest_.remove_prefix(wanted.size());
    skip_blanks();
    return true;
  }
  std::optional<long> number() {
    std::size_t length = rest_.empty() || rest_[0] != '-' ? 0 : 1;
    const std::size_t sign = length;
    while (length < rest_.size() && length < 19 && rest_[length] >= '0' && rest_[length] <= '9')
      ++length;
    if (length == sign) return std::nullopt;
    const long value = std::strtol(std::string(rest_.substr(0, length)).c_str(), nullptr, 10);
    rest_.remove_prefix(length);
    skip_blanks();
    return value;
  }
  // All before `end`, or all that is left.
  std::string until(std::string_view end) {
    const std::size_t at = end.empty() ? std::string_view::npos : rest_.find(end);
    std::string taken(rest_.substr(0, at));
    rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at + end.size());
    while (!taken.empty() && taken.back() == ' ') taken.pop_back();
    skip_blanks();
    return taken;
  }
  [[nodiscard]] bool done() const { return rest_.empty(); }

 private:
  void skip_blanks() {
    while (!rest_.empty() && rest_[0] == ' ') rest_.remove_prefix(1);
  }
  std::string_view rest_;
};

enum class Section { none, incomplete, dead, missing_ranks, errors, mismatch };

struct State {
  Report report;
  Section section = Section::none;
  Communicator* comm = nullptr;
  std::vector<int> sizes;        // ranks per communicator, by group
  std::string collective;        // of the mismatch that is being read
  LaunchGroup* group = nullptr;  // the one that "Rank N --" lines belong to
  std::string status, error;     // as "3 ranks have status INIT" says for the lines after it
  bool whole = false;            // it came as far as the warnings
};

Communicator& communicator(State& state, const std::string& hash, std::size_t group) {
  for (Communicator& known : state.report.communicators) {
    if (known.hash == hash) return known;
  }
  Communicator& comm = state.report.communicators.emplace_back();
  comm.hash = hash;
  if (group < state.sizes.size()) comm.size = state.sizes[group];
  return comm;
}

// "#0-1 (d4cb1d3d6d1cf2a1) MISMATCH"
bool read_heading(State& state, Line line) {
  if (!line.word("#")) return false;
  const auto group = line.number();
  if (!group || *group < 0) return false;
  line.until("(");
  const std::string hash = line.until(")");
  state.section = line.word("INCOMPLETE") ? Section::missing_ranks
                  : line.word("ERROR")    ? Section::errors
                  : line.word("MISMATCH") ? Section::mismatch
                                          : Section::none;
  state.comm = &communicator(state, "0x" + hash, static_cast<std::size_t>(*group));
  state.group = nullptr;
  state.status.clear();
  state.error.clear();
  return true;
}

// "    0         2         1         8         8         8   RUNNING      OK"
bool read_table_row(State& state, Line line) {
  const auto group = line.number();
  const auto comms = line.number();
  const auto nodes = line.number();
  if (!group || !comms || !nodes) return false;
  line.until(" ");  // ranks per node: "8" or "4-8"
  const auto size = line.number();
  const auto ranks = line.number();
  if (!size || !ranks || *group != static_cast<long>(state.sizes.size())) return false;
  state.sizes.push_back(static_cast<int>(*size));
  state.report.communicators_count += static_cast<int>(*comms);
  return true;
}

Rank& rank_of(Communicator& comm, int number) {
  for (Rank& known : comm.ranks) {
    if (known.rank == number) return known;
  }
  comm.ranks.emplace_back().rank = number;
  return comm.ranks.back();
}

// "-- GPU 0 managed by process 4711 on node 10.0.0.1"
void read_place(Line& line, Rank& rank) {
  if (!line.word("-- GPU")) return;
  rank.gpu = line.until("managed by process");
  if (const auto pid = line.number()) rank.pid = static_cast<int>(*pid);
  if (line.word("on node")) rank.host = line.until("");
}

LaunchGroup& add_group(State& state, std::uint64_t launched, int size) {
  state.comm->groups.push_back({state.collective, launched, size, {}});
  state.group = &state.comm->groups.back();
  return *state.group;
}

// "Rank 3 ...": what follows depends on the section.
bool read_rank(State& state, Line line) {
  if (state.comm == nullptr || !line.word("Rank")) return false;
  const auto number = line.number();
  if (!number) return false;
  const int rank_number = static_cast<int>(*number);
  if (state.section == Section::missing_ranks) {
    MissingRank missing;
    missing.rank.rank = rank_number;
    read_place(line, missing.rank);
    state.comm->missing.push_back(missing);
    return true;
  }
  Rank& rank = rank_of(*state.comm, rank_number);
  if (line.word("has launched up to operation")) {
    const auto launched = line.number();
    add_group(state, static_cast<std::uint64_t>(launched.value_or(0)), 1).ranks = {rank_number};
    state.group = nullptr;
  } else if (line.word("has not launched any operations")) {
    add_group(state, 0, 1).ranks = {rank_number};
    state.group = nullptr;
  } else if (line.word("has status")) {
    rank.status = line.until(" ");
  } else if (line.word("reported")) {
    rank.error = line.until("--");
    return true;
  } else if (state.section == Section::errors) {
    rank.error = state.error;
  } else if (state.group != nullptr) {
    state.group->ranks.push_back(rank_number);
  } else {
    rank.status = state.status;
  }
  read_place(line, rank);
  return true;
}

// "3 ranks have launched up to operation 17"
bool read_ranks(State& state, Line line) {
  if (state.comm == nullptr) return false;
  const auto count = line.number();
  if (!count || !line.word("ranks")) return false;
  const int size = static_cast<int>(*count);
  if (line.word("have launched up to operation")) {
    const auto launched = line.number();
    add_group(state, static_cast<std::uint64_t>(launched.value_or(0)), size);
  } else if (line.word("have not launched any operations")) {
    add_group(state, 0, size);
  } else if (line.word("have status")) {
    state.group = nullptr;
    state.status = line.until("");
  } else if (line.word("reported")) {
    state.error = line.until("");
  }
  return true;
}

bool read_comm_line(State& state, Line line) {
  if (state.comm == nullptr) return false;
  if (line.word("Missing communicator data from")) {
    state.comm->missing_count = static_cast<int>(line.number().value_or(0));
    return true;
  }
  if (line.word("The missing ranks:") || line.word("The missing rank:")) {  // 2.24
    for (auto rank = line.number(); rank; rank = line.number()) {
      state.comm->missing.emplace_back().rank.rank = static_cast<int>(*rank);
      line.word(",");
    }
    return true;
  }
  if (!line.word("Communicator ranks have different")) return false;
  if (line.word("status")) {
    state.comm->status_differs = true;
    return true;
  }
  const std::string name = line.until(" operation counts");
  state.collective = name == "collective" ? "any" : collective_name(name);
  state.group = nullptr;
  return true;
}

// "Process 4711 on node 10.0.0.1 managing GPU 0"
bool read_process(State& state, Line line) {
  if (state.comm != nullptr || !line.word("Process")) return false;
  const auto pid = line.number();
  if (!pid || !line.word("on node")) return false;
  LostProcess process;
  process.pid = static_cast<int>(*pid);
  process.host = line.until("managing GPU");
  line.word("s");
  process.gpus = line.until("");
  process.dead = state.section == Section::dead;
  state.report.lost.push_back(process);
  return true;
}

void read_job_line(State& state, Line line) {
  if (line.word("NCCL version")) {
    state.report.nccl_version = line.until(" compiled");
  } else if (line.word("INCOMPLETE") || line.word("DEAD")) {
    state.comm = nullptr;
  } else if (line.word("Encountered")) {
    state.report.timeouts = static_cast<int>(line.number().value_or(0));
  } else if (line.word("Warnings")) {
    state.whole = true;
    state.comm = nullptr;
  }
}

void read_line(State& state, std::string_view text) {
  const Line line(text);
  if (text == "DEAD") state.section = Section::dead;
  if (text == "INCOMPLETE") state.section = Section::incomplete;
  if (read_heading(state, line)) return;
  if (state.comm == nullptr && !state.whole && read_table_row(state, line)) return;
  if (read_rank(state, line) || read_ranks(state, line) || read_comm_line(state, line) ||
      read_process(state, line))
    return;
  read_job_line(state, line);
}

}  // namespace

Result<Report> parse_text_report(std::string_view text) {
  State state;
  state.report.partial = true;
  const std::size_t bytes = text.size();
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!line.empty()) read_line(state, line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (!state.whole)
    return Error{ErrorCode::corrupt,
                 fmt::format("NCCL's report broke off after {} bytes: the process that answered "
                             "may have ended; ask again",
                             bytes)};
  return std::move(state.report);
}

}  // namespace peerscope::ras

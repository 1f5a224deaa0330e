#include "source/exllama/context_file.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

namespace peerscope::exllama {
namespace {

constexpr int kTries = 4;

std::int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

std::optional<std::size_t> size_of(const std::string& path) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return static_cast<std::size_t>(status.st_size);
}

bool is_hex_name(const std::string& stem) {
  return stem.size() == 32 && std::all_of(stem.begin(), stem.end(),
                                          [](unsigned char c) { return std::isxdigit(c) != 0; });
}

std::string written(std::optional<std::size_t> bytes) {
  return bytes ? fmt::format("{} bytes", *bytes) : "missing";
}

// By the sizes of the files beside it.
std::vector<const Layout*> allowed(const std::string& stem) {
  const auto ring = size_of(stem + "_r");
  const bool has_ll = size_of(stem + "_ll").has_value();
  std::vector<const Layout*> fitting;
  for (const Layout& layout : layouts()) {
    if (ring == layout.ring_bytes && has_ll == (layout.ll_epoch != 0)) fitting.push_back(&layout);
  }
  return fitting;
}

}  // namespace

std::string known_layouts() {
  std::vector<std::string> all;
  for (const Layout& layout : layouts()) {
    all.push_back(fmt::format("{}: _g {} bytes, _r {} bytes, {} _ll", layout.releases,
                              kContextFileBytes, layout.ring_bytes,
                              layout.ll_epoch != 0 ? "with" : "without"));
  }
  return fmt::format("{}", fmt::join(all, "; "));
}

Found look_at(const std::string& path) {
  Found found;
  found.path = path;
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) {
    found.refusal = fmt::format("{} cannot be looked at: {}", path, std::strerror(errno));
    return found;
  }
  found.owner = status.st_uid;
  found.inode = status.st_ino;
  const std::string stem = path.size() > 2 ? path.substr(0, path.size() - 2) : path;
  if (path.size() < 3 || path.compare(path.size() - 2, 2, "_g") != 0 || !S_ISREG(status.st_mode)) {
    found.refusal =
        fmt::format("{} is no ExLlamaV3 context: that is a plain file whose name ends in _g", path);
    return found;
  }
  found.layouts = allowed(stem);
  if (static_cast<std::size_t>(status.st_size) != kContextFileBytes) found.layouts.clear();
  if (found.layouts.empty()) {
    found.refusal = fmt::format(
        "{} ({} bytes; _r {}, _ll {}) has no layout of ExLlamaV3 that this peerscope knows, and is "
        "not read. Known are {}",
        path, status.st_size, written(size_of(stem + "_r")), written(size_of(stem + "_ll")),
        known_layouts());
  } else if (access(path.c_str(), R_OK) != 0) {
    found.refusal =
        fmt::format("{} belongs to uid {} and cannot be read ({}): run peerscope as that user",
                    path, found.owner, std::strerror(errno));
  }
  return found;
}

std::vector<Found> find_contexts(const std::string& dir) {
  std::vector<Found> all;
  std::error_code failure;
  for (std::filesystem::directory_iterator at(dir, failure), end; !failure && at != end;
       at.increment(failure)) {
    const std::string path = at->path().string();
    if (path.size() < 3 || path.compare(path.size() - 2, 2, "_g") != 0) continue;
    const std::string stem = path.substr(0, path.size() - 2);
    const bool siblings = size_of(stem + "_r") && size_of(stem + "_b") && size_of(stem + "_s");
    if (siblings || is_hex_name(at->path().filename().string().substr(
                        0, at->path().filename().string().size() - 2)))
      all.push_back(look_at(path));
  }
  std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.path < b.path; });
  return all;
}

Result<ContextFile> ContextFile::open(const Found& found) {
  if (!found.refusal.empty()) return Error{ErrorCode::unsupported, found.refusal};
  const int file = ::open(found.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) {
    return Error{ErrorCode::io,
                 fmt::format("{} cannot be opened: {}", found.path, std::strerror(errno))};
  }
  struct stat status{};
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_ino != found.inode) {
    close(file);
    return Error{ErrorCode::io, fmt::format("{} is another file than a moment ago", found.path)};
  }
  return ContextFile(found.path, file, found.layouts);
}

ContextFile::ContextFile(std::string path, int file, std::vector<const Layout*> layouts)
    : path_(std::move(path)), file_(file), possible_(std::move(layouts)) {
  for (const Layout* layout : possible_) buffer_.resize(std::max(buffer_.size(), layout->bytes));
}

ContextFile::ContextFile(ContextFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      possible_(std::move(other.possible_)),
      layout_(other.layout_),
      buffer_(std::move(other.buffer_)),
      error_(std::move(other.error_)),
      first_(other.first_),
      head_(other.head_),
      tail_(other.tail_),
      popped_(other.popped_),
      pushed_(other.pushed_) {}

ContextFile::~ContextFile() {
  if (file_ >= 0) close(file_);
}

bool ContextFile::removed() const {
  struct stat status{};
  return fstat(file_, &status) != 0 || status.st_nlink == 0;
}

Read ContextFile::fail(ErrorCode code, std::string why) {
  error_ = {code, std::move(why)};
  return Read::failed;
}

bool ContextFile::fetch(std::size_t offset, std::size_t bytes) {
  ssize_t got = -1;
  do {
    got = pread(file_, buffer_.data() + offset, bytes, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(bytes)) return true;
  fail(ErrorCode::io,
       got < 0
           ? fmt::format("{} cannot be read: {}", path_, std::strerror(errno))
           : fmt::format("{} has shrunk: {} of {} bytes at {} are left; it is not read any more",
                         path_, got, bytes, offset));
  return false;
}

// A job may be half written while it is looked at: what contradicts once is looked at again.
Read ContextFile::decide() {
  std::vector<const Layout*> fitting;
  std::string why;
  for (int i = 0; i < kTries && fitting.empty(); ++i) {
    if (!fetch(0, buffer_.size())) return Read::failed;
    for (const Layout* layout : possible_) {
      std::string no = contradiction(*layout, std::span(buffer_).first(layout->bytes));
      if (no.empty()) fitting.push_back(layout);
      if (!no.empty()) why = fmt::format("{} ({})", no, layout->releases);
    }
  }
  if (fitting.empty()) {
    return fail(ErrorCode::unsupported,
                fmt::format("{} ({} bytes) has the sizes of a known ExLlamaV3 context and not its "
                            "content: {}. It is not read. Known are {}",
                            path_, kContextFileBytes, why, known_layouts()));
  }
  const bool begun = decode(*fitting[0], buffer_).barrier_epoch != 0;  // the first word that is set
  if (fitting.size() > 1 || !begun) return Read::undecided;
  layout_ = fitting[0];
  return Read::ok;
}

bool ContextFile::read_jobs(const State& state, Sample& out) {
  out.first_job = pushed_;
  const std::uint32_t from = first_ ? (state.head + kMaxJobs - 1) % kMaxJobs : tail_;
  const std::uint32_t count = (state.tail + kMaxJobs - from) % kMaxJobs;
  const std::uint32_t to_end = std::min(count, kMaxJobs - from);
  const auto at = [&](std::uint32_t job) { return layout_->jobs + job * sizeof(Job); };
  if (to_end > 0 && !fetch(at(from), to_end * sizeof(Job))) return false;
  if (count > to_end && !fetch(at(0), (count - to_end) * sizeof(Job))) return false;
  out.jobs.clear();
  for (std::uint32_t i = 0; i < count; ++i)
    out.jobs.push_back(decode_job(std::span(buffer_).subspan(at((from + i) % kMaxJobs))));
  pushed_ += count;
  popped_ += first_ ? 1 : (state.head + kMaxJobs - head_) % kMaxJobs;
  return true;
}

Read ContextFile::read(Sample& out) {
  if (layout_ == nullptr) {
    if (const Read decided = decide(); decided != Read::ok) return decided;
  }
  // The CPU takes a job, then releases its chunks: with the same head before and after, what was
  // released belongs to the jobs that had been taken.
  for (int i = 0; i < kTries; ++i) {
    out.time.begin_ns = monotonic_ns();
    if (!fetch(0, header_bytes(*layout_))) return Read::failed;
    out.time.end_ns = monotonic_ns();
    out.state = decode(*layout_, buffer_);
    if (out.state.head >= kMaxJobs || out.state.tail >= kMaxJobs) {
      return fail(ErrorCode::corrupt,
                  fmt::format("{} has gone wrong: its ring of jobs has head {} and tail {}", path_,
                              out.state.head, out.state.tail));
    }
    if (!fetch(layout_->jobs_head, sizeof(std::uint32_t))) return Read::failed;
    std::uint32_t head = 0;
    std::memcpy(&head, buffer_.data() + layout_->jobs_head, sizeof head);
    if (head != out.state.head) continue;
    if (!read_jobs(out.state, out)) return Read::failed;
    out.popped = popped_;
    head_ = out.state.head;
    tail_ = out.state.tail;
    first_ = false;
    return Read::ok;
  }
  return Read::unsteady;
}

}  // namespace peerscope::exllama

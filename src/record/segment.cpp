#include "record/segment.hpp"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace peerscope {
namespace {

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

ssize_t read_small_file(const char* path, char* out, std::size_t bytes) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  const ssize_t got = read(file, out, bytes - 1);
  close(file);
  out[got > 0 ? got : 0] = '\0';
  return got;
}

// The directory belongs to this user (and is made for it alone), or we do not use it: a segment holds what a job does.
bool prepare_directory(const char* path) {
  if (mkdir(path, 0700) != 0 && errno != EEXIST) return false;
  struct stat status{};
  if (lstat(path, &status) != 0 || !S_ISDIR(status.st_mode)) return false;
  return status.st_uid == geteuid() && access(path, W_OK | X_OK) == 0;
}

// Until it is whole, a segment's file has another name: readers never see half of one.
struct NewName {
  explicit NewName(const char* path) { snprintf(text, sizeof text, "%s.new", path); }
  char text[330];
};

int create_file(const char* directory, const char* session, char* path, std::size_t path_bytes) {
  for (int n = 0; n < 1000; ++n) {
    const int length = snprintf(path, path_bytes, "%s/%s.%d.%d.seg", directory, session,
                                static_cast<int>(getpid()), n);
    if (length < 0 || static_cast<std::size_t>(length) >= path_bytes) return -1;
    if (access(path, F_OK) == 0) continue;
    NewName made(path);
    const int file = open(made.text, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file >= 0 || errno != EEXIST) return file;
  }
  return -1;
}

// Backs a part of the file with memory. A signal may interrupt it, again and again where a profiler is at work.
bool reserve(int file, std::uint64_t offset, std::uint64_t bytes) {
  for (int tries = 0; tries < 1000; ++tries) {
    const int error = posix_fallocate(file, static_cast<off_t>(offset), static_cast<off_t>(bytes));
    if (error != EINTR) return error == 0;
  }
  return false;
}

// A file that outgrows this limit is not refused: it kills the process (SIGXFSZ).
std::uint64_t largest_file() {
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
  return limit.rlim_cur;
}

// Address space or file size may be limited: ask for less until it fits.
bool map_file(Segment& segment, std::uint64_t bytes) {
  const std::uint64_t largest = largest_file();
  for (; bytes >= kSmallestSegment; bytes = round_up(bytes / 2, kPageBytes)) {
    if (bytes > largest) continue;
    if (ftruncate(segment.file, static_cast<off_t>(bytes)) != 0) continue;
    void* base =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, segment.file, 0);
    if (base == MAP_FAILED) continue;
    madvise(base, bytes, MADV_DONTDUMP);
    segment.base = static_cast<std::byte*>(base);
    segment.bytes = bytes;
    return true;
  }
  return false;
}

const char* create_in(Segment& segment, const char* directory, const SegmentOptions& options) {
  if (!prepare_directory(directory))
    return "no directory for segments can be written to (set PEERSCOPE_RUNTIME_DIR)";
  segment.file = create_file(directory, options.session, segment.path, sizeof segment.path);
  if (segment.file < 0)
    return "no segment file can be made in the runtime directory (set PEERSCOPE_RUNTIME_DIR)";
  const char* why = nullptr;
  if (!map_file(segment, options.bytes)) {
    why = "the segment cannot be mapped: address space or file size is limited (see ulimit -v, -f)";
  } else if (!reserve(segment.file, 0, kRingsOffset)) {
    why =
        "the file system for segments is full (free space in /dev/shm or set "
        "PEERSCOPE_RUNTIME_DIR)";
  }
  if (why == nullptr) return nullptr;
  unlink(NewName(segment.path).text);
  unmap_segment(segment);
  segment.path[0] = '\0';
  return why;
}

std::uint64_t clamp_size(std::uint64_t bytes) {
  if (bytes == 0) bytes = kDefaultSegmentBytes;
  if (bytes < kSmallestSegment) bytes = kSmallestSegment;
  if (bytes > kLargestSegment) bytes = kLargestSegment;
  return round_up(bytes, kPageBytes);
}

}  // namespace

bool runtime_dir_candidate(int i, char* out, std::size_t out_bytes) {
  const char* chosen = getenv("PEERSCOPE_RUNTIME_DIR");
  if (chosen != nullptr && chosen[0] != '\0') {
    return i == 0 && static_cast<std::size_t>(snprintf(out, out_bytes, "%s", chosen)) < out_bytes;
  }
  if (i > 1) return false;
  snprintf(out, out_bytes, "%s/peerscope-%u", i == 0 ? "/dev/shm" : "/tmp",
           static_cast<unsigned>(geteuid()));
  return true;
}

const char* create_segment(Segment& segment, const SegmentOptions& options) {
  SegmentOptions sized = options;
  sized.bytes = clamp_size(options.bytes);
  if (options.runtime_dir != nullptr && options.runtime_dir[0] != '\0') {
    return create_in(segment, options.runtime_dir, sized);
  }
  const char* why = "no directory for segments";
  char directory[256];
  for (int i = 0; runtime_dir_candidate(i, directory, sizeof directory); ++i) {
    why = create_in(segment, directory, sized);
    if (why == nullptr) return nullptr;
  }
  return why;
}

std::uint64_t allocate(const Segment& segment, std::uint64_t bytes) {
  bytes = round_up(bytes, kPageBytes);
  Word& used = segment.header().used;
  std::uint64_t offset = used.load(std::memory_order_relaxed);
  do {
    if (offset < kRingsOffset || offset > segment.bytes || bytes > segment.bytes - offset) return 0;
  } while (!used.compare_exchange_weak(offset, offset + bytes, std::memory_order_relaxed));
  // A hole in a full tmpfs would raise SIGBUS at its first touch. This says so instead.
  if (reserve(segment.file, offset, bytes)) return offset;
  std::uint64_t end = offset + bytes;  // given back, unless somebody has allocated behind it
  used.compare_exchange_strong(end, offset, std::memory_order_relaxed);
  return 0;
}

void touch(const Segment& segment, std::uint64_t offset, std::uint64_t bytes) {
  madvise(segment.base + offset, round_up(bytes, kPageBytes), MADV_POPULATE_WRITE);
  for (std::uint64_t at = 0; at < bytes; at += kPageBytes) {
    // In a VM a populated page still costs microseconds at its first write. Adding 0 is a write that changes nothing:
    // others may be using the page already.
    reinterpret_cast<Word*>(segment.base + offset + at)->fetch_add(0, std::memory_order_relaxed);
  }
}

bool publish_segment(const Segment& segment) {
  return rename(NewName(segment.path).text, segment.path) == 0;
}

void unmap_segment(Segment& segment) {
  if (segment.base != nullptr) munmap(segment.base, segment.bytes);
  if (segment.file >= 0) close(segment.file);
  segment.base = nullptr;
  segment.bytes = 0;
  segment.file = -1;
}

std::uint64_t process_start_time(std::uint32_t pid) {
  char path[48];
  char text[512];
  snprintf(path, sizeof path, "/proc/%u/stat", pid);
  if (read_small_file(path, text, sizeof text) <= 0) return 0;
  const char* at = strrchr(text, ')');  // the program's name may hold anything, ')' too
  if (at == nullptr) return 0;
  if (at[1] == ' ' && (at[2] == 'Z' || at[2] == 'X'))
    return 0;  // killed, not yet reaped: it will not write again
  for (int field = 2; field < 22 && at != nullptr; ++field) at = strchr(at + 1, ' ');
  return at != nullptr ? strtoull(at + 1, nullptr, 10) : 0;
}

std::uint64_t read_boot_id() {
  char text[64];
  if (read_small_file("/proc/sys/kernel/random/boot_id", text, sizeof text) <= 0) return 0;
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char* c = text; *c != '\0' && *c != '\n'; ++c)
    hash = (hash ^ static_cast<unsigned char>(*c)) * 1099511628211u;
  return hash;
}

}  // namespace peerscope

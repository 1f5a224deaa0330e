// What a TraceReader knows of its files: their sections, and how far each has been read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "trace/format.hpp"
#include "trace/reader.hpp"

namespace peerscope {

// Readers of one file share it.
struct OpenFile {
  explicit OpenFile(int f) : fd(f) {}
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd;
};

struct TraceFile {
  std::shared_ptr<const OpenFile> open;
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
  std::uint64_t trace_id = 0, bytes = 0;
  std::uint32_t part = 0;
  // How far it has been read.
  std::uint64_t sound_until = 0;  // 0: not at all
  std::uint64_t cut = 0, damaged = 0;
  bool closed = false;

  [[nodiscard]] int fd() const { return open->fd; }
  [[nodiscard]] bool same_file(const TraceFile& other) const {
    return device == other.device && inode == other.inode && trace_id == other.trace_id;
  }
};

// The parts of a trace that are there, the oldest first.
Result<std::vector<TraceFile>> open_trace_files(const std::string& path);

struct TraceSection {
  std::size_t file = 0;
  format::IndexEntry entry{};
};

struct TraceReader::State {
  std::string path;
  std::vector<TraceFile> files;  // the oldest first
  std::vector<TraceSection> ops, marks, metas, summaries;
  std::vector<ChunkInfo> chunks;
  std::optional<Rollup> rollup;
  TraceMeta meta;
  std::uint64_t operations = 0, mark_count = 0, file_bytes = 0, cut = 0, damaged = 0;
  bool closed = true;

  // All of `found`; what `old` has read is taken over.
  void read(std::vector<TraceFile> found, const State* old);
  void load_meta();
  [[nodiscard]] std::optional<std::vector<char>> text_of(const TraceSection& section,
                                                         std::uint64_t* operations) const;

 private:
  void take_over(std::size_t number, const State& old, std::size_t old_number);
  bool read_index(std::size_t number);
  void scan(std::size_t number);
  bool step(std::size_t number, std::uint64_t& at);
  [[nodiscard]] bool ends_here(std::size_t number, std::uint64_t at) const;
  void note(std::size_t number, const format::IndexEntry& entry);
  void note_ops(const TraceSection& section);
};

}  // namespace peerscope

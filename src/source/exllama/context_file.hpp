// One ExLlamaV3 context as a file: found, checked, and read with pread. Nothing of it is mapped, so that
// a file that shrinks is an error and no signal; nothing waits for its writers, and they do not notice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "source/exllama/layout.hpp"

namespace peerscope::exllama {

struct Found {
  std::string path;  // of the file _g
  std::uint32_t owner = 0;
  std::uint64_t inode = 0;
  std::vector<const Layout*> layouts;  // that the files beside it allow; empty: see `refusal`
  std::string refusal;                 // why it cannot be read, a sentence with what to do
};

// All contexts in `dir`, those that are refused with a sentence.
std::vector<Found> find_contexts(const std::string& dir = "/dev/shm");
// What `path` (.../NAME_g) is.
Found look_at(const std::string& path);

// When a read took place: what was read was so at some time within.
struct ReadTime {
  std::int64_t begin_ns = 0, end_ns = 0;
};

struct Sample {
  ReadTime time;
  State state;
  std::vector<Job> jobs;  // pushed since the sample before; the first brings the last popped, too
  std::uint64_t first_job =
      0;  // number of jobs[0]; 0 is the job that was popped last at the first sample
  std::uint64_t popped = 0;  // jobs that the CPU has taken, in the same count
};

enum class Read { ok, unsteady, undecided, failed };  // unsteady: it changed while it was read

class ContextFile {
 public:
  static Result<ContextFile> open(const Found& found);
  ContextFile(ContextFile&& other) noexcept;
  ContextFile& operator=(ContextFile&&) = delete;
  ~ContextFile();

  // One look. `undecided`: nothing has happened that tells apart the layouts that are possible. `failed`:
  // error() says why, and no further read will succeed.
  Read read(Sample& out);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const Layout* layout() const { return layout_; }  // null: undecided
  [[nodiscard]] const Error& error() const { return error_; }
  [[nodiscard]] bool removed() const;  // its job has ended in good order

 private:
  ContextFile(std::string path, int file, std::vector<const Layout*> layouts);
  bool fetch(std::size_t offset, std::size_t bytes);
  Read decide();
  bool read_jobs(const State& state, Sample& out);
  Read fail(ErrorCode code, std::string why);

  std::string path_;
  int file_ = -1;
  std::vector<const Layout*> possible_;
  const Layout* layout_ = nullptr;
  std::vector<std::byte> buffer_;
  Error error_;
  bool first_ = true;
  std::uint32_t head_ = 0, tail_ = 0;
  std::uint64_t popped_ = 0, pushed_ = 0;
};

std::string known_layouts();  // for people: "v1.1.0 to v1.4.1 (…), …"

}  // namespace peerscope::exllama

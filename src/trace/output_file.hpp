// Where a trace's bytes go. An interface, so that tests can fill the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.hpp"

namespace peerscope {

class OutputFile {
 public:
  virtual ~OutputFile() = default;
  // Appends all of it, or nothing: what was written of a failed attempt is cut off again. The error
  // is a sentence.
  virtual Status append(std::span<const std::uint8_t> bytes) = 0;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  virtual Status rename(const std::string& path) = 0;
};

// What a writer asks of a file system.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // An empty file for this writer alone: an error if another process is writing to it.
  virtual Result<std::unique_ptr<OutputFile>> create(const std::string& path) = 0;
  virtual void remove(const std::string& path) = 0;
};

FileSystem& real_file_system();

}  // namespace peerscope

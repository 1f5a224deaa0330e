#include "trace/output_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

namespace peerscope {
namespace {

Error failed(const char* what, const std::string& path) {
  return {ErrorCode::io, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno))};
}

class RealFile final : public OutputFile {
 public:
  RealFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~RealFile() override { close(fd_); }
  RealFile(const RealFile&) = delete;
  RealFile& operator=(const RealFile&) = delete;

  Status append(std::span<const std::uint8_t> bytes) override {
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t got =
          pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(size_ + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        const Error error = failed("write to", path_);
        if (ftruncate(fd_, static_cast<off_t>(size_)) != 0) return failed("cut", path_);
        return error;
      }
      done += static_cast<std::size_t>(got);
    }
    size_ += bytes.size();
    return Done{};
  }

  [[nodiscard]] std::uint64_t size() const override { return size_; }

  Status rename(const std::string& path) override {
    if (std::rename(path_.c_str(), path.c_str()) != 0) return failed("rename", path_);
    path_ = path;
    return Done{};
  }

 private:
  int fd_;
  std::string path_;
  std::uint64_t size_ = 0;
};

class RealFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<OutputFile>> create(const std::string& path) override {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return failed("make", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      close(fd);
      return Error{ErrorCode::io, fmt::format("{} is being written by another process", path)};
    }
    if (ftruncate(fd, 0) != 0 && errno != EINVAL) {  // EINVAL: a pipe or a device
      const Error error = failed("empty", path);
      close(fd);
      return error;
    }
    return std::unique_ptr<OutputFile>(std::make_unique<RealFile>(fd, path));
  }
  void remove(const std::string& path) override { unlink(path.c_str()); }
};

}  // namespace

FileSystem& real_file_system() {
  static RealFileSystem system;  // has no state
  return system;
}

}  // namespace peerscope

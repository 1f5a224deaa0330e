// A tar archive (POSIX ustar), written at once: for what is attached to a bug report.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace peerscope {

struct ArchiveFile {
  std::string name;  // at most 100 bytes
  std::string bytes;
};

// By the end of the path: .tar, .tar.gz and .tgz (in gzip's container, stored: no compression), .tar.zst
// (zstd). "" if it is one of them; else a sentence.
std::string archive_problem(const std::string& path);

std::string tar_of(const std::vector<ArchiveFile>& files, std::int64_t modified_s);
std::string gzip_stored(const std::string& bytes);

// All of it or nothing; readable by its owner only.
Status write_archive(const std::string& path, const std::vector<ArchiveFile>& files,
                     std::int64_t modified_s);

}  // namespace peerscope

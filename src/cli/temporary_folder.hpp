// A folder that nobody else has, and which goes when we do, with all that is in it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace peerscope {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code failed;
    const std::filesystem::path where = std::filesystem::temp_directory_path(failed);
    std::string name = ((failed ? "/tmp" : where) / "peerscope-XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }  // empty: none could be made

 private:
  std::string path_;
};

}  // namespace peerscope

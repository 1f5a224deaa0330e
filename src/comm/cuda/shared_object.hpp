// A vendor library, opened at run time. It is never closed: CUDA and NCCL keep threads of their own.
#pragma once

#include <string>

#include "base/result.hpp"

namespace peerscope {

class SharedObject {
 public:
  // `name` is a path, or a soname that the loader looks for. One that is loaded already is taken.
  static Result<SharedObject> open(const std::string& name);

  // Sets `function` to the symbol. Where there is none it stays null, and missing() names it.
  template <class Function>
  void bind(const char* symbol, Function& function) {
    if (!bind_optional(symbol, function)) note_missing(symbol);
  }
  template <class Function>
  bool bind_optional(const char* symbol, Function& function) {
    function = reinterpret_cast<Function>(find(symbol));
    return function != nullptr;
  }

  [[nodiscard]] const std::string& missing() const { return missing_; }  // "cuA, cuB"; empty: none
  [[nodiscard]] const std::string& path() const { return path_; }        // as the loader found it

 private:
  SharedObject() = default;
  void* find(const char* symbol) const;
  void note_missing(const char* symbol);

  void* handle_ = nullptr;
  std::string path_, missing_;
};

}  // namespace peerscope

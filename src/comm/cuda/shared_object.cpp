#include "comm/cuda/shared_object.hpp"

#include <dlfcn.h>
#include <link.h>

namespace peerscope {

Result<SharedObject> SharedObject::open(const std::string& name) {
  SharedObject object;
  object.handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_NOLOAD);
  if (object.handle_ == nullptr) object.handle_ = dlopen(name.c_str(), RTLD_NOW);
  if (object.handle_ == nullptr) {
    const char* why = dlerror();
    return Error{ErrorCode::not_found, why != nullptr ? why : name + " cannot be loaded"};
  }
  const link_map* map = nullptr;
  const bool known =
      dlinfo(object.handle_, RTLD_DI_LINKMAP, static_cast<void*>(&map)) == 0 && map != nullptr;
  object.path_ = known && map->l_name[0] != '\0' ? map->l_name : name;
  return object;
}

void* SharedObject::find(const char* symbol) const { return dlsym(handle_, symbol); }

void SharedObject::note_missing(const char* symbol) {
  if (!missing_.empty()) missing_ += ", ";
  missing_ += symbol;
}

}  // namespace peerscope

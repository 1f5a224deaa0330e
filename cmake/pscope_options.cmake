# Compile options shared by every target of ours, and by none of our users.
add_library(pscope_options INTERFACE)
target_compile_features(pscope_options INTERFACE cxx_std_20)
target_compile_options(pscope_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor>
  # TSan does not model fences. Ours order relaxed atomic words only, so there is nothing for it to miss.
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-tsan>
  # GCC 12 warns falsely about std::string (PR105651).
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>)
target_include_directories(pscope_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)

# Guest code runs inside somebody's job: no C++ runtime, nothing exported unless it says so.
add_library(pscope_guest_options INTERFACE)
target_compile_options(pscope_guest_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti -fno-threadsafe-statics -fvisibility=hidden -fvisibility-inlines-hidden>)

find_program(PSCOPE_MOLD mold)
if(PSCOPE_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 12.1)
  add_link_options(-fuse-ld=mold)
endif()

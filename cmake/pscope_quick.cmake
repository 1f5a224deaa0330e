# PSCOPE_QUICK (CI): from nothing to the tests' answer in less time. Included last, when all targets are there.
#   sources together  several of a target as one: the headers are read once, and templates are compiled once. Half the time.
#   -O1 for ours      a quarter less than -O3, and quick enough for what is tested here.
#   -Og for tests     what only calls what is tested. Nothing compiles quicker: -O0 writes more code out.
# Not in a developer's build: there a source that forgets an include must fail. Not in guest code either, and not in a library
# that is installed: what goes into somebody's job is tested as it is shipped.
function(pscope_quick_target target)
  get_target_property(type ${target} TYPE)
  if(target MATCHES "_test$")
    target_compile_options(${target} PRIVATE -Og)
  endif()
  if(NOT type MATCHES "^(STATIC_LIBRARY|EXECUTABLE)$" OR target STREQUAL pscope_record)
    return()
  endif()
  if(NOT target MATCHES "_test$" AND CMAKE_BUILD_TYPE STREQUAL Release)
    target_compile_options(${target} PRIVATE -O1)
  endif()
  get_target_property(directory ${target} SOURCE_DIR)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "^${PROJECT_BINARY_DIR}/") # what a build makes is not there yet
  list(TRANSFORM sources PREPEND "${directory}/" REGEX "^[^/]")
  execute_process(COMMAND python3 ${PROJECT_SOURCE_DIR}/tools/quick_groups.py ${PROJECT_SOURCE_DIR} ${sources}
    OUTPUT_VARIABLE lines COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]+" lines "${lines}")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "^([0-9]+) (.*)$" line "${line}")
    set_source_files_properties(${CMAKE_MATCH_2} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${CMAKE_MATCH_1})
  endforeach()
  # Warns of types in anonymous namespaces of what is included, which each source is here.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()

function(pscope_quick_directory directory)
  get_directory_property(targets DIRECTORY ${directory} BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    pscope_quick_target(${target})
  endforeach()
  get_directory_property(below DIRECTORY ${directory} SUBDIRECTORIES)
  foreach(each IN LISTS below)
    pscope_quick_directory(${each})
  endforeach()
endfunction()

pscope_quick_directory(${PROJECT_SOURCE_DIR})

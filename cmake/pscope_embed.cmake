# pscope_embed(<target> <folder>): the files of the folder become a part of the target: peerscope::http::embedded_assets().
# A folder that is not there gives an empty table. What is in it is looked up again at each build.
function(pscope_embed target folder)
  set(out ${PROJECT_BINARY_DIR}/embed/${target})
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*)
  if(files)
    list(LENGTH files count)
    message(STATUS "peerscope: ${count} files of ${folder} are built in")
  else()
    message(STATUS "peerscope: no dashboard (${folder} is not there: ./dev build makes it where npm is found)")
  endif()
  add_custom_command(OUTPUT ${out}/assets.cpp ${out}/assets.bin
    COMMAND python3 ${PROJECT_SOURCE_DIR}/tools/embed.py ${PROJECT_SOURCE_DIR}/${folder} ${out}
    DEPENDS ${files} ${PROJECT_SOURCE_DIR}/tools/embed.py VERBATIM COMMENT "Embedding ${folder}")
  target_sources(${target} PRIVATE ${out}/assets.cpp)
  set_source_files_properties(${out}/assets.cpp PROPERTIES OBJECT_DEPENDS ${out}/assets.bin SKIP_UNITY_BUILD_INCLUSION ON)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
endfunction()

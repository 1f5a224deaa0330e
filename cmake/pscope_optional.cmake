# Parts that need something not every machine has. Each says in one line whether it is built.
include(CheckLanguage)
check_language(CUDA)
set(PSCOPE_CUDA_ARCHS "80;90;100;120" CACHE STRING "GPU architectures that the kernels of src/comm/cuda are compiled for")
if(CMAKE_CUDA_COMPILER AND PSCOPE_CUDA_ARCHS)
  message(STATUS "peerscope: kernels of the P2P backend for sm ${PSCOPE_CUDA_ARCHS} (${CMAKE_CUDA_COMPILER})")
else()
  message(STATUS "peerscope: no GPU kernels (nvcc not found, or PSCOPE_CUDA_ARCHS empty): the P2P backend has the host device only")
endif()

# Drawing on terminals. `./dev deps` builds it where the system has none.
if(DEFINED ENV{XDG_CACHE_HOME})
  set(pscope_cache "$ENV{XDG_CACHE_HOME}/peerscope")
else()
  set(pscope_cache "$ENV{HOME}/.cache/peerscope")
endif()
find_package(ftxui 5 CONFIG QUIET HINTS "${pscope_cache}/ftxui")
if(ftxui_FOUND)
  message(STATUS "peerscope: full-screen view of peerscope top (FTXUI ${ftxui_VERSION})")
else()
  message(STATUS "peerscope: peerscope top prints text only (FTXUI not found; ./dev deps builds it)")
endif()

# pscope_kernels(<target> <file.cu>): the kernels become a part of the target, which loads them through the driver at run time.
function(pscope_kernels target source)
  if(NOT CMAKE_CUDA_COMPILER OR NOT PSCOPE_CUDA_ARCHS)
    return()
  endif()
  set(image ${PROJECT_BINARY_DIR}/${target}.fatbin)
  set(codes "")
  foreach(arch IN LISTS PSCOPE_CUDA_ARCHS)
    list(APPEND codes -gencode=arch=compute_${arch},code=sm_${arch})
  endforeach()
  list(GET PSCOPE_CUDA_ARCHS -1 newest)
  list(APPEND codes -gencode=arch=compute_${newest},code=compute_${newest}) # for GPUs to come
  add_custom_command(OUTPUT ${image}
    COMMAND ${CMAKE_CUDA_COMPILER} -std=c++20 -O3 --expt-relaxed-constexpr -fatbin ${codes} -I${PROJECT_SOURCE_DIR}/src -I${PROJECT_SOURCE_DIR}/include
            -MD -MF ${image}.d -o ${image} ${PROJECT_SOURCE_DIR}/${source}
    DEPENDS ${source} DEPFILE ${image}.d VERBATIM COMMENT "Compiling ${source} for ${PSCOPE_CUDA_ARCHS}")
  add_custom_target(${target}_kernels DEPENDS ${image})
  add_dependencies(${target} ${target}_kernels)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/src/comm/cuda/kernels.cpp PROPERTIES OBJECT_DEPENDS ${image}
    COMPILE_DEFINITIONS PSCOPE_CUDA_KERNELS="${image}")
endfunction()

# Parts that need something not every machine has. Each says in one line whether it is built.
include(CheckLanguage)
check_language(CUDA)
if(CMAKE_CUDA_COMPILER)
  message(STATUS "peerscope: CUDA found (${CMAKE_CUDA_COMPILER}); no part of this version uses it yet")
else()
  message(STATUS "peerscope: no CUDA compiler; everything here runs on the host device")
endif()

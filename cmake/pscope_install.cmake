# What a user of the library and of the command needs; nothing of the tests. CMAKE_INSTALL_RPATH is set in the root.
install(TARGETS peerscope RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS pscope_shared pscope_nccl pscope_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/peerscope DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h*")
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

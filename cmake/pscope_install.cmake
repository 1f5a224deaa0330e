# What a user of the library and of the command needs; nothing of the tests.
install(TARGETS peerscope RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS pscope_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/peerscope DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

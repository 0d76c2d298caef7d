# make install: headers, libraries, the tool, find_package(born) and pkg-config.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(BORN_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/born)
set(BORN_INSTALLED born_static)
if(TARGET born_shared)
    list(APPEND BORN_INSTALLED born_shared)
endif()
if(TARGET born_hub)
    list(APPEND BORN_INSTALLED born_hub)
endif()
install(TARGETS ${BORN_INSTALLED} EXPORT born_targets)
if(TARGET born)
    install(TARGETS born RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/born DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h" PATTERN "*.def"
    PATTERN "codecs.h" EXCLUDE)     # of a component that is not installed
install(EXPORT born_targets NAMESPACE born:: DESTINATION ${BORN_CMAKE_DIR})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/bornConfig.cmake.in ${CMAKE_BINARY_DIR}/bornConfig.cmake
    INSTALL_DESTINATION ${BORN_CMAKE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/bornConfigVersion.cmake COMPATIBILITY SameMinorVersion)
# born.pc finds its folders from where it lies, so that an installation may move
set(BORN_PC_DIR ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH BORN_PC_PREFIX ${BORN_PC_DIR} ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" BORN_PC_PREFIX "${BORN_PC_PREFIX}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/born.pc.in ${CMAKE_BINARY_DIR}/born.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/bornConfig.cmake ${CMAKE_BINARY_DIR}/bornConfigVersion.cmake
    DESTINATION ${BORN_CMAKE_DIR})
install(FILES ${CMAKE_BINARY_DIR}/born.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# `cmake --install <build> --prefix <prefix>`: the rooms as static libraries with their headers under
# include/cbnet, the programs, and a package that find_package(cbnet) finds wherever the prefix is moved to.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# In the build, cbnet_blas links OpenBLAS by the path that was found here. Another machine has another
# path: the installed target names cbnet::openblas, which the package looks up where it is used.
set_target_properties(cbnet_blas PROPERTIES EXPORT_NAME blas INTERFACE_LINK_LIBRARIES
  "$<BUILD_INTERFACE:${CBNET_OPENBLAS_LIBRARY}>;$<INSTALL_INTERFACE:cbnet::openblas>")
set_target_properties(cbnet_flags PROPERTIES EXPORT_NAME flags)
set_target_properties(cbnet_own_flags PROPERTIES EXPORT_NAME own_flags)

get_property(cbnet_rooms GLOBAL PROPERTY CBNET_ROOMS)
get_property(cbnet_programs GLOBAL PROPERTY CBNET_PROGRAMS)
set(cbnet_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cbnet)

install(TARGETS ${cbnet_rooms} cbnet_flags cbnet_own_flags cbnet_blas EXPORT cbnet
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  FILE_SET HEADERS DESTINATION include/cbnet)
# The lists that public headers expand (ops.def and its kind) are no headers to CMake.
file(GLOB_RECURSE cbnet_lists CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  ${PROJECT_SOURCE_DIR}/autograd/*.def ${PROJECT_SOURCE_DIR}/layers/*.def ${PROJECT_SOURCE_DIR}/runtime/*.def
  ${PROJECT_SOURCE_DIR}/tensor/*.def)
foreach(list ${cbnet_lists})
  get_filename_component(folder ${list} DIRECTORY)
  install(FILES ${PROJECT_SOURCE_DIR}/${list} DESTINATION include/cbnet/${folder})
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/cbnet.h DESTINATION include/cbnet)
if(cbnet_programs)
  install(TARGETS ${cbnet_programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(EXPORT cbnet NAMESPACE cbnet:: FILE cbnet-targets.cmake DESTINATION ${cbnet_package_dir})

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/cbnet-config.cmake.in
  ${PROJECT_BINARY_DIR}/cbnet-config.cmake INSTALL_DESTINATION ${cbnet_package_dir})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cbnet-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cbnet-config.cmake ${PROJECT_BINARY_DIR}/cbnet-config-version.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindLibzip.cmake
  DESTINATION ${cbnet_package_dir})
if(EXISTS ${PROJECT_SOURCE_DIR}/LICENSE)
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()

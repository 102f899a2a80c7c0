# `cmake --install BUILD --prefix PREFIX` installs the client: headers, static libraries, and what find_package(leasemap)
# reads. Programs link leasemap::client. cmake/leasemap.cmake installs the programs.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set_target_properties(leasemap_client PROPERTIES EXPORT_NAME client)
set_target_properties(leasemap_client_core PROPERTIES EXPORT_NAME client_core)
set_target_properties(leasemap_protos PROPERTIES EXPORT_NAME protos)
set_target_properties(leasemap_text PROPERTIES EXPORT_NAME text)
install(TARGETS leasemap_client leasemap_client_core leasemap_protos leasemap_text EXPORT leasemapTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/leasemap DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
# The client's headers need none of these. They are for programs that make other calls, as of the service Mesh: two copies
# of the generated code cannot be in one program.
install(DIRECTORY ${CMAKE_BINARY_DIR}/gen/leasemap/v1 DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/leasemap
        FILES_MATCHING PATTERN *.pb.h)
install(FILES ${CMAKE_SOURCE_DIR}/protos/inflate.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/protos)

set(PACKAGE ${CMAKE_INSTALL_LIBDIR}/cmake/leasemap)
install(EXPORT leasemapTargets NAMESPACE leasemap:: DESTINATION ${PACKAGE})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/leasemapConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES leasemapConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/leasemapConfigVersion.cmake DESTINATION ${PACKAGE})

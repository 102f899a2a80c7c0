# What find_package(leasemap) reads: the client library leasemap::client, and what it links.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(absl)
find_dependency(Protobuf)
find_dependency(gRPC)
include(${CMAKE_CURRENT_LIST_DIR}/leasemapTargets.cmake)

# cmake -D SOURCE_DIR=… -P subproject.cmake, as the test install.subproject calls it: configures a project that has cbnet
# as a part of itself, in both ways, and builds and runs its program in the first.
cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/step.cmake)
file(REMOVE_RECURSE ${SCRATCH})
foreach(way FetchContent add_subdirectory)
  step(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/subproject -B ${SCRATCH}/${way} -G ${GENERATOR}
    -D CMAKE_BUILD_TYPE=Debug -D CMAKE_CXX_COMPILER=${CXX} -D "CMAKE_CXX_FLAGS=${CXX_FLAGS}"
    -D CBNET_BY=${way} -D CBNET_FROM=${SOURCE_DIR})
endforeach()
step(${CMAKE_COMMAND} --build ${SCRATCH}/FetchContent --target subproject)
step(${SCRATCH}/FetchContent/subproject)
if(NOT output MATCHES "consumer: 6\n")
  message(FATAL_ERROR "the program printed something else than expected:\n${output}")
endif()
message(STATUS "configured, built and run")

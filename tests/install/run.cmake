# cmake -D BUILD_DIR=… -P run.cmake, as the test install.consumer calls it; stops at the first step that fails.
cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/step.cmake)

# What `cmake --install` copies must be there; nothing is done when it is, as after a full build.
string(REPLACE "," ";" targets "${TARGETS}")
list(REMOVE_ITEM targets "")
step(${CMAKE_COMMAND} --build ${BUILD_DIR} --config ${CONFIG} --target ${targets})

file(REMOVE_RECURSE ${SCRATCH})
step(${CMAKE_COMMAND} --install ${BUILD_DIR} --config ${CONFIG} --prefix ${SCRATCH}/first)
# Moved, the package must still find itself, and nothing in it may point into the source or the build.
file(RENAME ${SCRATCH}/first ${SCRATCH}/prefix)
file(GLOB_RECURSE package ${SCRATCH}/prefix/*.cmake)
if(NOT package)
  message(FATAL_ERROR "no package files were installed")
endif()
get_filename_component(source_dir ${CONSUMER}/../../.. ABSOLUTE)
foreach(file ${package})
  file(READ ${file} text)
  foreach(path ${BUILD_DIR} ${source_dir} ${SCRATCH} libopenblas.)
    string(FIND "${text}" "${path}" at)
    if(NOT at EQUAL -1)
      message(FATAL_ERROR "${file} holds ${path} and cannot be moved to another machine")
    endif()
  endforeach()
endforeach()

step(${CMAKE_COMMAND} -S ${CONSUMER} -B ${SCRATCH}/build -G ${GENERATOR}
  -D CMAKE_BUILD_TYPE=${CONFIG} -D CMAKE_PREFIX_PATH=${SCRATCH}/prefix -D CMAKE_CXX_COMPILER=${CXX}
  -D "CMAKE_CXX_FLAGS=${CXX_FLAGS}" -D CBNET_VERSION_WANTED=${VERSION})
step(${CMAKE_COMMAND} --build ${SCRATCH}/build --config ${CONFIG})
step(${SCRATCH}/build/consumer)
if(NOT output MATCHES "consumer: 6\n")
  message(FATAL_ERROR "the consumer printed something else than expected:\n${output}")
endif()
foreach(program cbnet cbnet_bench)
  if(EXISTS ${SCRATCH}/prefix/bin/${program})
    step(${SCRATCH}/prefix/bin/${program} --help)
  endif()
endforeach()
message(STATUS "installed, found, built and run")

# Everything comes from the system's packages; scripts/lib.sh names them per package client.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_package(Libzip REQUIRED)
find_package(nlohmann_json REQUIRED)
if(CBNET_PROGRAMS)
  find_package(cxxopts REQUIRED)
endif()

# OpenBLAS by its C header: distributions differ in whether they ship a CMake package.
find_path(CBNET_OPENBLAS_INCLUDE NAMES openblas_config.h
  PATH_SUFFIXES openblas ${CMAKE_LIBRARY_ARCHITECTURE} openblas-pthread ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-pthread)
find_library(CBNET_OPENBLAS_LIBRARY NAMES openblas PATH_SUFFIXES openblas-pthread)
if(NOT CBNET_OPENBLAS_INCLUDE OR NOT CBNET_OPENBLAS_LIBRARY)
  message(FATAL_ERROR "OpenBLAS not found. hint: install libopenblas-dev, or run scripts/demo, which does")
endif()
add_library(cbnet_blas INTERFACE)
target_include_directories(cbnet_blas INTERFACE $<BUILD_INTERFACE:${CBNET_OPENBLAS_INCLUDE}>)
target_link_libraries(cbnet_blas INTERFACE ${CBNET_OPENBLAS_LIBRARY})

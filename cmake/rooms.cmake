# One CMake target per folder of the house.

# What users of the libraries need too.
add_library(cbnet_flags INTERFACE)
target_compile_features(cbnet_flags INTERFACE cxx_std_20)
target_compile_definitions(cbnet_flags INTERFACE CBNET_VERSION="${PROJECT_VERSION}")

# What this project's own code is compiled with, and nobody else's. errno from sqrt and floating-point traps are never
# read here, and giving them up lets loops vectorise; neither changes a result, unlike the rest of -ffast-math, which
# is not used.
add_library(cbnet_own_flags INTERFACE)
target_compile_options(cbnet_own_flags INTERFACE
  $<BUILD_INTERFACE:-fno-math-errno -fno-trapping-math -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<BOOL:${CBNET_WERROR}>:-Werror> $<$<BOOL:${CBNET_NATIVE}>:-march=native>>)

# GCC 12 sees overlapping copies in std::string where there are none (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(cbnet_own_flags INTERFACE $<BUILD_INTERFACE:-Wno-restrict>)
endif()

# cbnet_room(<name> [DEPENDS <room>…] [LINKS_PRIVATE <target>…])
# A static library of every .cpp in the folder (and its sub-folders) with the alias cbnet::<name>.
function(cbnet_room name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINKS_PRIVATE" ${ARGN})
  set(dir ${PROJECT_SOURCE_DIR}/${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cpp)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${dir}/*.h)
  list(FILTER headers EXCLUDE REGEX "\\.inc\\.h$")
  # One file per ISA is compiled with its own flags by cbnet_isa_sources; ONNX and CUDA are optional: cbnet_onnx,
  # cbnet_cuda.
  list(FILTER sources EXCLUDE REGEX "/isa/[^/]*$|/onnx/[^/]*$|/cuda/[^/]*$")
  list(FILTER headers EXCLUDE REGEX "/onnx/graph_[^/]*$|/cuda/(context|functions|launch)[^/]*$")
  add_library(cbnet_${name} STATIC ${sources})
  add_library(cbnet::${name} ALIAS cbnet_${name})
  set_target_properties(cbnet_${name} PROPERTIES EXPORT_NAME ${name})
  target_sources(cbnet_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
  target_include_directories(cbnet_${name} PUBLIC $<INSTALL_INTERFACE:include/cbnet>)
  set(rooms ${ARG_DEPENDS})
  list(TRANSFORM rooms PREPEND cbnet_)
  target_link_libraries(cbnet_${name} PUBLIC cbnet_flags ${rooms} PRIVATE cbnet_own_flags ${ARG_LINKS_PRIVATE})
  set_property(GLOBAL APPEND PROPERTY CBNET_ROOMS cbnet_${name})
endfunction()

# cbnet_isa_sources(<room> <folder>)
# Kernels that gain from wider vectors live once in <folder>/<name>.inc.h; <folder>/isa/<isa>.cpp
# instantiates all of them in its own namespace with its own flags. The rest of the library stays
# at the architecture's baseline, so that one binary runs everywhere.
function(cbnet_isa_sources room folder)
  set(dir ${PROJECT_SOURCE_DIR}/${folder}/isa)
  set(isas scalar)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(APPEND isas avx2 avx512 avx512_vnni)
    set(flags_avx2 -mavx2 -mfma)
    set(flags_avx512 -mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
    set(flags_avx512_vnni ${flags_avx512} -mavx512vnni)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    list(APPEND isas neon)
  endif()
  set_property(GLOBAL PROPERTY CBNET_ISAS ${isas})
  foreach(isa ${isas})
    target_sources(cbnet_${room} PRIVATE ${dir}/${isa}.cpp)
    # Contraction to FMA is the point of these files; it is exact rounding, not fast-math.
    set_source_files_properties(${dir}/${isa}.cpp PROPERTIES
      COMPILE_OPTIONS "${flags_${isa}};-ffp-contract=fast")
  endforeach()
endfunction()

# <room>/onnx: the module where it is asked for, or what stands in its place.
function(cbnet_onnx room)
  set(dir ${PROJECT_SOURCE_DIR}/${room}/onnx)
  if(NOT CBNET_ONNX)
    target_sources(cbnet_${room} PRIVATE ${dir}/no_onnx.cpp)
    return()
  endif()
  find_path(CBNET_ONNX_INCLUDE NAMES onnx/onnx-ml.pb.h)
  find_library(CBNET_ONNX_LIBRARY NAMES onnx)
  find_library(CBNET_ONNX_PROTO_LIBRARY NAMES onnx_proto)
  find_package(Protobuf)
  if(NOT CBNET_ONNX_INCLUDE OR NOT CBNET_ONNX_LIBRARY OR NOT CBNET_ONNX_PROTO_LIBRARY OR NOT Protobuf_FOUND)
    message(FATAL_ERROR "ONNX not found. hint: install libonnx-dev, libprotobuf-dev and protobuf-compiler, or configure "
      "with -DCBNET_ONNX=OFF")
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cpp)
  list(REMOVE_ITEM sources ${dir}/no_onnx.cpp)
  target_sources(cbnet_${room} PRIVATE ${sources})
  set_source_files_properties(${sources} PROPERTIES COMPILE_DEFINITIONS "ONNX_NAMESPACE=onnx;ONNX_ML=1")
  target_include_directories(cbnet_${room} SYSTEM PRIVATE ${CBNET_ONNX_INCLUDE} ${Protobuf_INCLUDE_DIRS})
  target_link_libraries(cbnet_${room} PRIVATE ${CBNET_ONNX_LIBRARY} ${CBNET_ONNX_PROTO_LIBRARY} ${Protobuf_LIBRARIES})
endfunction()

# For what includes <regex>, as cxxopts does: under the sanitizers GCC takes it for uninitialised, as its manual warns.
add_library(cbnet_regex INTERFACE)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  target_compile_options(cbnet_regex INTERFACE -Wno-maybe-uninitialized)
endif()

# cbnet_program_parts(<target> <folder> LINKS <target>…)
# What is in the folder of a program, its main.cpp aside; tests link it, and it is not installed. No time goes by in
# here: -O1 halves what the optimiser takes of the build.
function(cbnet_program_parts target folder)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/${folder}/main.cpp)
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC ${ARG_LINKS} cbnet_flags cbnet_own_flags cbnet_regex)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

# cbnet_program(<target> <folder> OUTPUT_NAME <name> LINKS <target>…)
# The program's main.cpp, and the rest of the folder as <target>_parts.
function(cbnet_program target folder)
  cmake_parse_arguments(ARG "" "OUTPUT_NAME" "LINKS" ${ARGN})
  cbnet_program_parts(${target}_parts ${folder} LINKS ${ARG_LINKS})
  add_executable(${target} ${PROJECT_SOURCE_DIR}/${folder}/main.cpp)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${ARG_OUTPUT_NAME})
  target_link_libraries(${target} PRIVATE ${target}_parts)
  set_property(GLOBAL APPEND PROPERTY CBNET_PROGRAMS ${target})
endfunction()

# The commit that is being built, for the programs' results: looked up at every build, since a commit makes no
# file newer, and compiled anew only when it changed.
function(cbnet_commit target)
  set(file ${PROJECT_BINARY_DIR}/generated/bench/commit.h)
  add_custom_target(cbnet_commit BYPRODUCTS ${file} COMMENT ""
    COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DFILE=${file} -P ${PROJECT_SOURCE_DIR}/cmake/commit.cmake)
  add_dependencies(${target} cbnet_commit)
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated)
endfunction()

# bench/claims.json as a string of the program.
function(cbnet_claims target)
  set(json ${PROJECT_SOURCE_DIR}/bench/claims.json)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${json})
  file(READ ${json} CBNET_CLAIMS)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/claims.h.in ${PROJECT_BINARY_DIR}/generated/bench/claims_text.h @ONLY)
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated)
endfunction()

# The peer bench: cbnet_peers, and one worker program per engine (CBNET_PEERS). Statistics and report are built, and
# tested, in every build.
set(peers_dir ${CMAKE_CURRENT_LIST_DIR})
add_library(cbnet_peers_parts STATIC ${peers_dir}/model.cpp ${peers_dir}/workload.cpp ${peers_dir}/network_set.cpp ${peers_dir}/calibration.cpp ${peers_dir}/graph_nodes.cpp
  ${peers_dir}/bounds.cpp ${peers_dir}/comparison.cpp
  ${peers_dir}/report.cpp ${peers_dir}/networks_report.cpp ${peers_dir}/measure.cpp)
target_link_libraries(cbnet_peers_parts PUBLIC cbnet_bench_parts)

if(NOT CBNET_PEERS)
  return()
endif()

# peer_worker(<engine> [SOURCES <file>…] [INCLUDES <folder>…] [LINKS <library>…] [OPTIONS <flag>…]): headers of peers are
# not ours to warn about.
function(peer_worker engine)
  cmake_parse_arguments(ARG "" "" "SOURCES;INCLUDES;LINKS;OPTIONS" ${ARGN})
  list(TRANSFORM ARG_SOURCES PREPEND ${peers_dir}/engines/)
  add_executable(peer_${engine} ${peers_dir}/worker.cpp ${peers_dir}/engines/${engine}.cpp ${ARG_SOURCES})
  target_include_directories(peer_${engine} SYSTEM PRIVATE ${ARG_INCLUDES})
  target_compile_options(peer_${engine} PRIVATE ${ARG_OPTIONS})
  target_link_libraries(peer_${engine} PRIVATE cbnet_peers_parts ${ARG_LINKS})
  set_target_properties(peer_${engine} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/peers)
  set_property(GLOBAL APPEND PROPERTY CBNET_PEER_WORKERS peer_${engine})
endfunction()

# need_peer(<what> <package> <variable>…)
function(need_peer what package)
  foreach(variable ${ARGN})
    if(NOT ${variable})
      message(FATAL_ERROR "${what} not found. hint: install ${package}, or run scripts/bench-peers, which does; or "
        "configure with -DCBNET_PEERS=OFF")
    endif()
  endforeach()
endfunction()

find_path(CBNET_OPENBLAS_OPENMP NAMES libblas.so.3 PATH_SUFFIXES lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp)
need_peer("OpenBLAS for OpenMP" libopenblas0-openmp CBNET_OPENBLAS_OPENMP)
add_executable(cbnet_peers ${peers_dir}/main.cpp)
target_compile_definitions(cbnet_peers PRIVATE CBNET_OPENBLAS_OPENMP="${CBNET_OPENBLAS_OPENMP}")
target_link_libraries(cbnet_peers PRIVATE cbnet_peers_parts)

peer_worker(cbnet)

find_path(CBNET_DNNL_INCLUDE NAMES dnnl.hpp)
find_library(CBNET_DNNL_LIBRARY NAMES dnnl)
need_peer(oneDNN libdnnl-dev CBNET_DNNL_INCLUDE CBNET_DNNL_LIBRARY)
peer_worker(onednn SOURCES onednn_network.cpp INCLUDES ${CBNET_DNNL_INCLUDE} LINKS ${CBNET_DNNL_LIBRARY})

# ONNX Runtime: no headers, no CMake package; scripts/bench-peers puts the npm package there.
if(NOT CBNET_ONNX)
  message(FATAL_ERROR "the graphs for ONNX Runtime are written by models/onnx. hint: configure with -DCBNET_ONNX=ON too")
endif()
set(CBNET_ORT_PACKAGE ${PROJECT_SOURCE_DIR}/build/peers/onnxruntime/node_modules/onnxruntime-node CACHE PATH
  "The npm package onnxruntime-node")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(ort_architecture arm64)
else()
  set(ort_architecture x64)
endif()
file(GLOB CBNET_ORT_LIBRARY ${CBNET_ORT_PACKAGE}/bin/napi-v*/linux/${ort_architecture}/libonnxruntime.so.1)
need_peer("ONNX Runtime" "npm's onnxruntime-node" CBNET_ORT_LIBRARY)
find_package(Protobuf REQUIRED)
peer_worker(ort SOURCES onnx_graph.cpp onnx_network.cpp INCLUDES ${CBNET_ONNX_INCLUDE} ${Protobuf_INCLUDE_DIRS}
  LINKS ${CBNET_ONNX_PROTO_LIBRARY} ${Protobuf_LIBRARIES} ${CMAKE_DL_LIBS})
target_compile_definitions(peer_ort PRIVATE ONNX_NAMESPACE=onnx ONNX_ML=1 CBNET_ORT_LIBRARY="${CBNET_ORT_LIBRARY}")

find_path(CBNET_TORCH_INCLUDE NAMES torch/csrc/api/include/torch/torch.h)
find_library(CBNET_TORCH_LIBRARY NAMES torch_cpu)
find_library(CBNET_C10_LIBRARY NAMES c10)
need_peer(LibTorch libtorch-dev CBNET_TORCH_INCLUDE CBNET_TORCH_LIBRARY CBNET_C10_LIBRARY)
peer_worker(torch INCLUDES ${CBNET_TORCH_INCLUDE} ${CBNET_TORCH_INCLUDE}/torch/csrc/api/include
  LINKS ${CBNET_TORCH_LIBRARY} ${CBNET_C10_LIBRARY} cbnet_blas)

find_path(CBNET_DLIB_INCLUDE NAMES dlib/dnn.h)
find_library(CBNET_DLIB_LIBRARY NAMES dlib)
need_peer(dlib libdlib-dev CBNET_DLIB_INCLUDE CBNET_DLIB_LIBRARY)
peer_worker(dlib INCLUDES ${CBNET_DLIB_INCLUDE} LINKS ${CBNET_DLIB_LIBRARY} cbnet_blas)

# Header only: its instruction set is that of this file. It asks for stb's headers where Debian does not put them.
find_path(CBNET_TINYDNN_INCLUDE NAMES tiny_dnn/tiny_dnn.h)
find_path(CBNET_CEREAL_INCLUDE NAMES cereal/types/utility.hpp)
find_path(CBNET_STB_INCLUDE NAMES stb/stb_image.h)
find_path(CBNET_GEMMLOWP_INCLUDE NAMES gemmlowp/public/gemmlowp.h)
need_peer(tiny-dnn "tiny-dnn, libcereal-dev, libstb-dev and libgemmlowp-dev" CBNET_TINYDNN_INCLUDE CBNET_CEREAL_INCLUDE
  CBNET_STB_INCLUDE CBNET_GEMMLOWP_INCLUDE)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/tinydnn/third_party)
file(CREATE_LINK ${CBNET_STB_INCLUDE}/stb ${PROJECT_BINARY_DIR}/tinydnn/third_party/stb SYMBOLIC)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  peer_worker(tinydnn INCLUDES ${CBNET_TINYDNN_INCLUDE} ${CBNET_CEREAL_INCLUDE} ${PROJECT_BINARY_DIR}/tinydnn
    LINKS OpenMP::OpenMP_CXX OPTIONS -mavx2 -mfma -DCNN_USE_AVX -DCNN_USE_OMP)
endif()

include(${CMAKE_CURRENT_LIST_DIR}/train.cmake)

get_property(workers GLOBAL PROPERTY CBNET_PEER_WORKERS)
add_custom_target(peers DEPENDS cbnet_peers ${workers})

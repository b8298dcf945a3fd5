# bench_train: training in this engine beside LibTorch, by scripts/bench-train.
find_path(CBNET_TORCH_INCLUDE NAMES torch/csrc/api/include/torch/torch.h)
find_library(CBNET_TORCH_LIBRARY NAMES torch_cpu)
find_library(CBNET_C10_LIBRARY NAMES c10)
if(NOT CBNET_TORCH_INCLUDE OR NOT CBNET_TORCH_LIBRARY OR NOT CBNET_C10_LIBRARY)
  message(FATAL_ERROR "LibTorch not found. hint: install libtorch-dev, or configure with -DCBNET_PEERS=OFF")
endif()
add_executable(bench_train ${CMAKE_CURRENT_LIST_DIR}/train.cpp ${CMAKE_CURRENT_LIST_DIR}/train_cbnet.cpp
  ${CMAKE_CURRENT_LIST_DIR}/train_torch.cpp)
target_include_directories(bench_train SYSTEM PRIVATE ${CBNET_TORCH_INCLUDE}
  ${CBNET_TORCH_INCLUDE}/torch/csrc/api/include)
target_link_libraries(bench_train PRIVATE cbnet_bench_parts ${CBNET_TORCH_LIBRARY} ${CBNET_C10_LIBRARY})

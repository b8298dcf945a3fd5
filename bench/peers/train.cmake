# bench_train: training in this engine beside LibTorch, by scripts/bench-train.
add_executable(bench_train ${CMAKE_CURRENT_LIST_DIR}/train.cpp ${CMAKE_CURRENT_LIST_DIR}/train_cbnet.cpp
  ${CMAKE_CURRENT_LIST_DIR}/train_torch.cpp)
target_include_directories(bench_train SYSTEM PRIVATE ${CBNET_TORCH_INCLUDE}
  ${CBNET_TORCH_INCLUDE}/torch/csrc/api/include)
target_link_libraries(bench_train PRIVATE cbnet_peers_parts ${CBNET_TORCH_LIBRARY} ${CBNET_C10_LIBRARY})

# The peer bench: cbnet_peers, and one worker program per engine (CBNET_PEERS). Statistics and report are built, and
# tested, in every build.
set(peers_dir ${CMAKE_CURRENT_LIST_DIR})
add_library(cbnet_peers_model STATIC ${peers_dir}/model.cpp)
target_link_libraries(cbnet_peers_model PUBLIC cbnet_bench_parts)
target_include_directories(cbnet_peers_model PUBLIC ${CMAKE_SOURCE_DIR})

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
  target_link_libraries(peer_${engine} PRIVATE cbnet_peers_model ${ARG_LINKS})
  set_target_properties(peer_${engine} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/peers)
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

peer_worker(cbnet)

find_path(CBNET_DNNL_INCLUDE NAMES dnnl.hpp)
find_library(CBNET_DNNL_LIBRARY NAMES dnnl)
need_peer(oneDNN libdnnl-dev CBNET_DNNL_INCLUDE CBNET_DNNL_LIBRARY)
peer_worker(onednn INCLUDES ${CBNET_DNNL_INCLUDE} LINKS ${CBNET_DNNL_LIBRARY})

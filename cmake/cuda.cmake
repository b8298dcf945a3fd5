# The optional CUDA module: tensor/cuda/*.cu by nvcc, or no_cuda.cpp in their place.

# What the files are compiled for: Turing to Hopper, and Blackwell where the compiler knows it.
set(CBNET_CUDA_ARCHITECTURES "75;80;86;89;90" CACHE STRING "Compute capabilities, without the point")

if(CBNET_CUDA)
  if(NOT CMAKE_CUDA_COMPILER AND EXISTS /usr/local/cuda/bin/nvcc)
    set(CMAKE_CUDA_COMPILER /usr/local/cuda/bin/nvcc)
  endif()
  set(CMAKE_CUDA_ARCHITECTURES OFF)  # the flags below name them
  enable_language(CUDA)
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13)
    message(FATAL_ERROR "CBNET_CUDA=ON needs nvcc 13; found ${CMAKE_CUDA_COMPILER_VERSION}. hint: -DCMAKE_CUDA_COMPILER=…")
  endif()
  # CMake 3.25 does not know yet that nvcc has C++20.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  find_package(CUDAToolkit REQUIRED)
endif()

function(cbnet_cuda room)
  set(dir ${PROJECT_SOURCE_DIR}/${room}/cuda)
  if(NOT CBNET_CUDA)
    target_sources(cbnet_${room} PRIVATE ${dir}/no_cuda.cpp)
    return()
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cu)
  add_library(cbnet_cuda_objects OBJECT ${sources})
  target_include_directories(cbnet_cuda_objects PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(cbnet_cuda_objects PRIVATE CBNET_VERSION="${PROJECT_VERSION}")
  execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --list-gpu-arch OUTPUT_VARIABLE known)
  set(architectures ${CBNET_CUDA_ARCHITECTURES})
  if(known MATCHES "compute_100" AND NOT CBNET_CUDA_ARCHITECTURES MATCHES "^[0-9]+$")
    list(APPEND architectures 100)
  endif()
  foreach(architecture ${architectures})
    target_compile_options(cbnet_cuda_objects PRIVATE
      "SHELL:-gencode arch=compute_${architecture},code=sm_${architecture}")
  endforeach()
  # The report of registers, shared memory and spills that scripts/cuda-report reads.
  # Numbers below 1.2e-38 are zeros, as on the CPU.
  target_compile_options(cbnet_cuda_objects PRIVATE --expt-relaxed-constexpr -ftz=true -Xcompiler=-Wall,-Wextra
    -Xptxas=-v $<$<BOOL:${CBNET_WERROR}>:-Werror=all-warnings>)
  target_sources(cbnet_${room} PRIVATE $<TARGET_OBJECTS:cbnet_cuda_objects>)
  target_link_libraries(cbnet_${room} PRIVATE CUDA::cudart_static CUDA::cublas)
endfunction()

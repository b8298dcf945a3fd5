// This file is compiled for AVX2 and FMA.
#define CBNET_ISA avx2
#define CBNET_VECTOR_BYTES 32
#include "tensor/cpu/kernels/isa/inference.inc.h"
#include "tensor/cpu/kernels/isa/training.inc.h"

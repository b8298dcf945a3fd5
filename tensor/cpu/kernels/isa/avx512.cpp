// This file is compiled for AVX-512 F, BW, DQ, VL.
#define CBNET_ISA avx512
#define CBNET_VECTOR_BYTES 64
#include "tensor/cpu/kernels/isa/inference.inc.h"
#include "tensor/cpu/kernels/isa/training.inc.h"

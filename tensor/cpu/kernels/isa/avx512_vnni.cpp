// This file is compiled for AVX-512 F, BW, DQ, VL and VNNI, whose dot products of bytes no kernel of training
// needs.
#define CBNET_ISA avx512_vnni
#define CBNET_VECTOR_BYTES 64
#include "tensor/cpu/kernels/isa/inference.inc.h"

// This file is compiled for Advanced SIMD, which is part of the aarch64 baseline.
#define CBNET_ISA neon
#define CBNET_VECTOR_BYTES 16
#include "tensor/cpu/kernels/isa/inference.inc.h"
#include "tensor/cpu/kernels/isa/training.inc.h"

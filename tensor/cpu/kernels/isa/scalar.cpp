// This file is compiled with the architecture's baseline flags, one element at a time in the source; other
// ISAs are tested against it.
#define CBNET_ISA scalar
#define CBNET_VECTOR_BYTES 0
#include "tensor/cpu/kernels/isa/inference.inc.h"
#include "tensor/cpu/kernels/isa/training.inc.h"

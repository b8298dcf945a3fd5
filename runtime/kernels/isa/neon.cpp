// Advanced SIMD, part of the aarch64 baseline.
#include <arm_neon.h>

#include "runtime/kernels/table.h"

#define CBNET_ISA neon
#define CBNET_VECTOR_BYTES 16

namespace cbnet::runtime::kernels::neon {
namespace {

// 32 registers: 6 rows * 4 vectors of sums, 4 of weights, 1 pixel.
constexpr int kDenseGroups = 1, kDenseRows = 6;

}  // namespace
}  // namespace cbnet::runtime::kernels::neon

#include "runtime/kernels/isa/table.inc.h"

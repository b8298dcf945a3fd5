// AVX-512 F, BW, DQ, VL.
#include "tensor/kernels/isa_table.h"

#define CBNET_VECTOR_BYTES 64

namespace cbnet::kernels::avx512 {
namespace {

// 32 registers: 4 * 6 sums, 4 pixels, 1 weight; 5 * 5 sums, 5 taps, 1 gradient.
constexpr int kForwardVectors = 4, kForwardOutputs = 6;
constexpr int kWeightOutputs = 5, kWeightTaps = 5;

#include "tensor/kernels/conv2d_direct.inc.h"

template <class T>
constexpr IsaTable<T> kTable = {
    .conv2d_pack = conv2d_pack<T>,
    .conv2d_forward_packed = conv2d_forward_packed<T>,
    .conv2d_forward = conv2d_forward<T>,
    .conv2d_backward_input = conv2d_backward_input<T>,
    .conv2d_backward_weight = conv2d_backward_weight<T>,
};

}  // namespace

const IsaTable<float> table_f32 = kTable<float>;
const IsaTable<double> table_f64 = kTable<double>;

}  // namespace cbnet::kernels::avx512

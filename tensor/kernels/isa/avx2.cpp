// AVX2 and FMA.
#include "tensor/kernels/isa_table.h"

#define CBNET_VECTOR_BYTES 32

namespace cbnet::kernels::avx2 {
namespace {

// 16 registers: 2 * 6 sums, 2 pixels, 1 weight; 5 * 2 sums, 2 taps, 1 gradient.
constexpr int kForwardVectors = 2, kForwardOutputs = 6;
constexpr int kWeightOutputs = 5, kWeightTaps = 2;

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

}  // namespace cbnet::kernels::avx2

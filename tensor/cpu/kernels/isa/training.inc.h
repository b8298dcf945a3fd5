// This file makes the kernels of training for one ISA, and the table of them.
#include "tensor/cpu/kernels/adam.inc.h"
#include "tensor/cpu/kernels/batch_norm.inc.h"
#include "tensor/cpu/kernels/conv2d_1x1.inc.h"
#include "tensor/cpu/kernels/conv2d_lanes.inc.h"
#include "tensor/cpu/kernels/exp.inc.h"
#include "tensor/cpu/kernels/gemm.inc.h"
#include "tensor/cpu/kernels/isa_table.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// The compiler makes vectors of the loop.
template <class T>
void sigmoids(const T* __restrict x, T* __restrict y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] = sigmoid(x[i]);
}

template <class T>
constexpr IsaTable<T> kTable = {
    .conv2d_forward = conv2d_forward<T>,
    .conv2d_backward_input = conv2d_backward_input<T>,
    .conv2d_backward_weight = conv2d_backward_weight<T>,
    .conv2d_1x1 = conv2d_1x1<T>,
    .lanes = kLanes<T>,
    .conv2d_lanes_forward = conv2d_lanes_forward<T>,
    .conv2d_lanes_backward = conv2d_lanes_backward<T>,
    .adam = adam<T>,
    .batch_norm_sums = batch_norm_sums<T>,
    .batch_norm_forward = batch_norm_forward<T>,
    .batch_norm_backward = batch_norm_backward<T>,
    .sigmoid = sigmoids<T>,
    .gemm = gemm<T>,
    .gemm_beats_blas = kGemmBeatsBlas,
};

}  // namespace

const IsaTable<float> table_f32 = kTable<float>;
const IsaTable<double> table_f64 = kTable<double>;

}  // namespace cbnet::kernels::CBNET_ISA

#pragma once

#include "tensor/cpu/kernels/adam.h"
#include "tensor/cpu/kernels/batch_norm.h"
#include "tensor/cpu/kernels/channels.h"
#include "tensor/cpu/kernels/channels_u8.h"
#include "tensor/cpu/kernels/conv2d_1x1.h"
#include "tensor/cpu/kernels/conv2d_direct.h"
#include "tensor/cpu/kernels/conv2d_lanes.h"
#include "tensor/cpu/kernels/exit.h"
#include "tensor/cpu/kernels/fused_conv2d.h"
#include "tensor/cpu/kernels/gemm.h"
#include "tensor/cpu/kernels/linear.h"
#include "tensor/cpu/kernels/winograd.h"

namespace cbnet {
enum class Isa : int;  // tensor/cpu/isa.h, whose <vector> has no business in a file with ISA flags
}

namespace cbnet::kernels {

// The kernels that are compiled once per ISA, one pointer each; the contract of each is in the header
// named beside it. All of them take dense arrays and do no threading: callers hand each thread its own
// range of images and its own workspace.
template <class T>
struct IsaTable {
  // conv2d_direct.h
  void (*conv2d_forward)(const T* x, const T* w, const T* bias, T* y, const Conv2dDims& dims, T* workspace);
  void (*conv2d_backward_input)(const T* dy, const T* w, T* dx, const Conv2dDims& dims, T* workspace);
  void (*conv2d_backward_weight)(const T* x, const T* dy, T* dw, const Conv2dDims& dims, T* workspace);
  // conv2d_1x1.h
  void (*conv2d_1x1)(const T* x, const T* w, const T* bias, T* y, const Conv1x1& sizes, T* workspace);
  // conv2d_lanes.h
  int64_t lanes;
  void (*conv2d_lanes_forward)(const T* x, const T* w, const T* bias, T* y, const Conv2dDims& dims,
                               T* workspace);
  void (*conv2d_lanes_backward)(const LanesBackward<T>& arrays, const Conv2dDims& dims, T* workspace);
  // adam.h; the arrays do not overlap
  void (*adam)(const AdamStep<T>& step, const T* g, T* w, T* m, T* v, int64_t count);
  // batch_norm.h
  void (*batch_norm_sums)(const T* x, const T* dy, const ChannelPlanes& planes, const double* mean,
                          BatchNormSums* sums);
  void (*batch_norm_forward)(const T* x, T* y, const ChannelPlanes& planes, const BatchNormLine* lines);
  void (*batch_norm_backward)(const T* x, const T* dy, T* dx, const ChannelPlanes& planes,
                              const BatchNormSlope* slopes);
  // computes y = 1 / (1 + exp(-x)); the arrays do not overlap
  void (*sigmoid)(const T* x, T* y, int64_t count);
  // gemm.h
  void (*gemm)(const GemmArgs<T>& args, T* workspace);
  bool gemm_beats_blas;  // OpenBLAS has been measured to be slower, or must not be called
};

// These belong to the inference engine.
struct KernelTable {
  ConvTable conv;
  ChannelsTable channels;
  ByteTable bytes;
  LinearTable linear;
  ExitTable exit;
};

// Returns the table of an ISA, for T float or double. Throws std::invalid_argument for an ISA that is not
// available.
template <class T>
const IsaTable<T>& isa_table(Isa isa);

// Returns that of active_isa().
template <class T>
const IsaTable<T>& isa_table();

const KernelTable& kernel_table(Isa isa);

// isa/<isa>.cpp defines these; which of them a build holds depends on its architecture.
#define CBNET_ISA_TABLES(isa)               \
  namespace isa {                           \
  extern const IsaTable<float> table_f32;   \
  extern const IsaTable<double> table_f64;  \
  extern const KernelTable inference_table; \
  }
CBNET_ISA_TABLES(scalar)
CBNET_ISA_TABLES(avx2)
CBNET_ISA_TABLES(avx512)
CBNET_ISA_TABLES(avx512_vnni)  // inference_table alone
CBNET_ISA_TABLES(neon)
#undef CBNET_ISA_TABLES

}  // namespace cbnet::kernels

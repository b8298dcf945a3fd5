// The kernels of one ISA and the table of them, in namespace CBNET_ISA.
namespace cbnet::runtime::kernels::CBNET_ISA {
namespace {
#include "runtime/kernels/simd.inc.h"

#include "runtime/kernels/conv.inc.h"
#include "runtime/kernels/exit.inc.h"
#include "runtime/kernels/winograd.inc.h"
namespace dense {
#include "runtime/kernels/dense.inc.h"
}  // namespace dense
}  // namespace

const KernelTable table = {
    .conv = {.lanes = kLanes,
             .accumulators = kAccumulators,
             .run = conv_run,
             .run_winograd = winograd_run,
             .pixels = pixels_run},
    .dense = dense::kTable,
    .exit = {.classify = classify_rows},
};

}  // namespace cbnet::runtime::kernels::CBNET_ISA

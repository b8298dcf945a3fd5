// This file gathers the kernels of the inference engine for one ISA, and makes the table of them.
#include "tensor/cpu/kernels/channels_u8.inc.h"
#include "tensor/cpu/kernels/exit.inc.h"
#include "tensor/cpu/kernels/isa_table.h"
#include "tensor/cpu/kernels/linear.inc.h"
#include "tensor/cpu/kernels/winograd.inc.h"

namespace cbnet::kernels::CBNET_ISA {

const KernelTable inference_table = {
    .conv = {.lanes = kLanesF32,
             .accumulators = kAccumulators,
             .run = conv_run,
             .run_winograd = winograd_run,
             .pixels = pixels_run},
    .channels = kChannelsTable,
    .bytes = kByteTable,
    .linear = kLinearTable,
    .exit = {.classify = classify_rows},
};

}  // namespace cbnet::kernels::CBNET_ISA

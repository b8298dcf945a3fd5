// The kernels of one ISA and the table of them, in namespace CBNET_ISA.
namespace cbnet::runtime::kernels::CBNET_ISA {
namespace {
namespace dense {
#include "runtime/kernels/dense.inc.h"
}  // namespace dense
}  // namespace

const KernelTable table = {.dense = dense::kTable};

}  // namespace cbnet::runtime::kernels::CBNET_ISA

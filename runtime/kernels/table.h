#pragma once

#include "runtime/kernels/conv.h"
#include "runtime/kernels/dense.h"
#include "runtime/kernels/exit.h"
#include "runtime/kernels/winograd.h"

namespace cbnet {
enum class Isa : int;  // tensor/cpu/isa.h, whose <vector> has no business in a file with ISA flags
}

namespace cbnet::runtime::kernels {

// The kernels that are compiled once per ISA; the contract of each is in the header of its table.
struct KernelTable {
  ConvTable conv;
  DenseTable dense;
  ExitTable exit;
};

// Throws std::invalid_argument for an ISA that is not available.
const KernelTable& kernel_table(Isa isa);

// Defined by isa/<isa>.cpp; which of them a build holds depends on its architecture.
namespace scalar {
extern const KernelTable table;
}
namespace avx2 {
extern const KernelTable table;
}
namespace avx512 {
extern const KernelTable table;
}
namespace avx512_vnni {
extern const KernelTable table;
}
namespace neon {
extern const KernelTable table;
}

}  // namespace cbnet::runtime::kernels

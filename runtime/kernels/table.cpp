#include "runtime/kernels/table.h"

#include "tensor/cpu/isa.h"

namespace cbnet::runtime::kernels {

const KernelTable& kernel_table(Isa isa) {
  switch (choose_isa(to_string(isa))) {  // throws where this CPU or build has no such ISA
#if defined(__x86_64__)
    case Isa::avx2:
      return avx2::table;
    case Isa::avx512:
      return avx512::table;
    case Isa::avx512_vnni:
      return avx512_vnni::table;
#elif defined(__aarch64__)
    case Isa::neon:
      return neon::table;
#endif
    default:
      return scalar::table;
  }
}

}  // namespace cbnet::runtime::kernels

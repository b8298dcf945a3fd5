#pragma once

#include <vector>

namespace cbnet {

// The kernels of tensor/cpu/kernels/isa are built for these instruction sets. Tests compare the others with
// `scalar`: the architecture's baseline, one element at a time in the source. avx512_vnni adds dot products
// of bytes, and trains as avx512.
enum class Isa : int { scalar, avx2, avx512, avx512_vnni, neon };

const char* to_string(Isa isa);

// Returns what this build holds and this CPU (with its operating system) can run; scalar first, best last.
std::vector<Isa> available_isas();

// Returns the ISA that `pin` names, or the best available one when `pin` is null or empty.
// Throws std::invalid_argument for an unknown name and for an ISA that is not available.
Isa choose_isa(const char* pin);

// Returns choose_isa(CBNET_FORCE_ISA), settled at the first call and the same for the life of the process.
Isa active_isa();

}  // namespace cbnet

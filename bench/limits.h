#pragma once

#include <cstddef>
#include <optional>

#include "tensor/cpu/isa.h"

// This header measures what one core of this machine can do at most, for the distance of a result to it.

namespace cbnet::bench {

/// Measures multiply-adds of f32 FMA instructions on registers alone, in 1e9 a second; none for an ISA
/// without a loop here, or that the CPU has not.
std::optional<double> fma_gmacs(Isa isa);

/// Measures multiply-adds of bytes summed into 32 bits, in 1e9 a second: vpdpbusd for avx512_vnni;
/// vpmaddubsw, vpmaddwd and vpaddd for avx2.
std::optional<double> int8_gmacs(Isa isa);

/// A buffer is read again and again in this order.
enum class Sweep {
  one_way,
  zigzag
};  // zigzag: forward, then backward, so that some of it is still in a nearer cache

/// Returns 1e9 bytes a second that one core reads of a buffer of `size_bytes`, over and over, with vectors of
/// `isa`. Throws std::invalid_argument for less than 4,096 bytes.
double read_gb_per_s(std::size_t size_bytes, Sweep sweep, Isa isa);

}  // namespace cbnet::bench

// Detection lives here, at the baseline, and never in a file with ISA flags: such a file may hold
// instructions that the CPU being asked about cannot run.
#include "tensor/cpu/isa.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "tensor/cpu/kernels/isa_table.h"

namespace cbnet {

const char* to_string(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return "scalar";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::avx512_vnni:
      return "avx512_vnni";
    case Isa::neon:
      return "neon";
  }
  return "unknown";
}

std::vector<Isa> available_isas() {
  std::vector<Isa> isas{Isa::scalar};
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2) isas.push_back(Isa::avx2);
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    isas.push_back(Isa::avx512);
    if (__builtin_cpu_supports("avx512vnni")) isas.push_back(Isa::avx512_vnni);
  }
#elif defined(__aarch64__)
  isas.push_back(Isa::neon);  // part of the aarch64 baseline
#endif
  return isas;
}

namespace {

[[noreturn]] void throw_unavailable(const std::string& where, const std::string& found, bool known) {
  std::string names;
  for (const Isa isa : available_isas()) names += (names.empty() ? "" : ", ") + std::string(to_string(isa));
  throw std::invalid_argument(where + (known ? " this CPU or build has no ISA '" : " unknown ISA '") + found +
                              "'; available: " + names +
                              ". hint: set CBNET_FORCE_ISA to one of them, or unset it to use the best");
}

bool is_available(Isa isa) {
  static const std::vector<Isa> isas = available_isas();
  return std::find(isas.begin(), isas.end(), isa) != isas.end();
}

}  // namespace

Isa choose_isa(const char* pin) {
  if (pin == nullptr || *pin == '\0') return available_isas().back();
  for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::avx512_vnni, Isa::neon}) {
    if (std::string(pin) != to_string(isa)) continue;
    if (!is_available(isa)) throw_unavailable("[isa]", pin, true);
    return isa;
  }
  throw_unavailable("[isa]", pin, false);
}

Isa active_isa() {
  static const Isa isa = choose_isa(std::getenv("CBNET_FORCE_ISA"));
  return isa;
}

}  // namespace cbnet

namespace cbnet::kernels {
namespace {

template <class T>
const IsaTable<T>& pick(const IsaTable<float>& f32, const IsaTable<double>& f64) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return f32;
  } else {
    return f64;
  }
}

}  // namespace

template <class T>
const IsaTable<T>& isa_table(Isa isa) {
  if (!is_available(isa)) throw_unavailable("[isa_table]", to_string(isa), true);
  switch (isa) {
#if defined(__x86_64__)
    case Isa::avx2:
      return pick<T>(avx2::table_f32, avx2::table_f64);
    case Isa::avx512:
    case Isa::avx512_vnni:
      return pick<T>(avx512::table_f32, avx512::table_f64);
#elif defined(__aarch64__)
    case Isa::neon:
      return pick<T>(neon::table_f32, neon::table_f64);
#endif
    default:
      return pick<T>(scalar::table_f32, scalar::table_f64);
  }
}

template <class T>
const IsaTable<T>& isa_table() {
  static const IsaTable<T>& table = isa_table<T>(active_isa());
  return table;
}

template const IsaTable<float>& isa_table<float>(Isa);
template const IsaTable<double>& isa_table<double>(Isa);
template const IsaTable<float>& isa_table<float>();
template const IsaTable<double>& isa_table<double>();

const KernelTable& kernel_table(Isa isa) {
  if (!is_available(isa)) throw_unavailable("[kernel_table]", to_string(isa), true);
  switch (isa) {
#if defined(__x86_64__)
    case Isa::avx2:
      return avx2::inference_table;
    case Isa::avx512:
      return avx512::inference_table;
    case Isa::avx512_vnni:
      return avx512_vnni::inference_table;
#elif defined(__aarch64__)
    case Isa::neon:
      return neon::inference_table;
#endif
    default:
      return scalar::inference_table;
  }
}

}  // namespace cbnet::kernels

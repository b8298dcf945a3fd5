#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/error.h"

namespace cbnet {

/// These are the element types: f32 and f64 carry gradients; the integers hold pixels, indices and labels.
enum class DType : std::uint8_t { f32, f64, u8, i32, i64 };

inline const char* to_string(DType dtype) {
  constexpr const char* kNames[] = {"f32", "f64", "u8", "i32", "i64"};
  return kNames[static_cast<int>(dtype)];
}

inline std::size_t size_bytes(DType dtype) {
  constexpr std::size_t kSizes[] = {4, 8, 1, 4, 8};
  return kSizes[static_cast<int>(dtype)];
}

inline bool is_floating(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::i64;
};

/// Calls fn(T{}) with the C++ type of `dtype`.
template <class F>
decltype(auto) dispatch(DType dtype, F&& fn) {
  switch (dtype) {
    case DType::f32:
      return fn(float{});
    case DType::f64:
      return fn(double{});
    case DType::u8:
      return fn(std::uint8_t{});
    case DType::i32:
      return fn(std::int32_t{});
    case DType::i64:
      break;
  }
  return fn(std::int64_t{});
}

/// Calls fn(T{}) for f32 or f64; throws "[where] ..." for the integers.
template <class F>
decltype(auto) dispatch_floating(DType dtype, const char* where, F&& fn) {
  require(is_floating(dtype), where, "expected f32 or f64; got ", to_string(dtype));
  if (dtype == DType::f32) return fn(float{});
  return fn(double{});
}

}  // namespace cbnet

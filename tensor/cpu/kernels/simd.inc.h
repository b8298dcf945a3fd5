// Vectors of the ISA at hand and what kernels share, included by isa/table.inc.h inside the anonymous
// namespace of each isa/<isa>.cpp, after it has set CBNET_VECTOR_BYTES (0: plain T). Nothing of std:: in
// these files: an inline symbol compiled with ISA flags could be linked into baseline code.

// Blocks live in registers only if the loops of constant count over them are unrolled.
#if defined(__clang__)
#define CBNET_UNROLL _Pragma("unroll")
#else
#define CBNET_UNROLL _Pragma("GCC unroll 16")
#endif

template <class T, int Bytes>
struct SimdOf {
  typedef T type __attribute__((vector_size(Bytes)));
};
template <class T>
struct SimdOf<T, 0> {
  typedef T type;
};
template <class T>
using Simd = typename SimdOf<T, CBNET_VECTOR_BYTES>::type;

template <class T>
constexpr int64_t kLanes = sizeof(Simd<T>) / sizeof(T);

#if CBNET_VECTOR_BYTES
typedef float SimdLooseF32 __attribute__((vector_size(CBNET_VECTOR_BYTES), aligned(4), may_alias));
typedef double SimdLooseF64 __attribute__((vector_size(CBNET_VECTOR_BYTES), aligned(8), may_alias));
#else
typedef float SimdLooseF32;
typedef double SimdLooseF64;
#endif

[[gnu::always_inline]] inline Simd<float> load(const float* p) {
  return *reinterpret_cast<const SimdLooseF32*>(p);
}
[[gnu::always_inline]] inline Simd<double> load(const double* p) {
  return *reinterpret_cast<const SimdLooseF64*>(p);
}
[[gnu::always_inline]] inline void store(float* p, Simd<float> v) { *reinterpret_cast<SimdLooseF32*>(p) = v; }
[[gnu::always_inline]] inline void store(double* p, Simd<double> v) {
  *reinterpret_cast<SimdLooseF64*>(p) = v;
}

// Sum of the lanes as a tree of halves.
template <class T, int Bytes>
[[gnu::always_inline]] inline T sum_lanes(const typename SimdOf<T, Bytes>::type& v) {
  if constexpr (Bytes == 0) {
    return v;
  } else if constexpr (Bytes == 16 && sizeof(T) == 8) {
    return v[0] + v[1];
  } else if constexpr (Bytes == 16) {
    return (v[0] + v[1]) + (v[2] + v[3]);
  } else {
    struct Halves {
      typename SimdOf<T, Bytes / 2>::type low, high;
    };
    const Halves halves = __builtin_bit_cast(Halves, v);  // memcpy would go by the stack
    return sum_lanes<T, Bytes / 2>(halves.low + halves.high);
  }
}

// Rows are a dozen elements or so: too short for a call to memcpy each. The last chunk overlaps the one
// before, so that no byte outside the row is touched.
template <class T>
[[gnu::always_inline]] inline void copy_row(T* to, const T* from, int64_t count) {
  char* dst = reinterpret_cast<char*>(to);
  const char* src = reinterpret_cast<const char*>(from);
  const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
  if (bytes >= 64) {
    for (int64_t i = 0; i + 64 <= bytes; i += 64) __builtin_memcpy(dst + i, src + i, 64);
    __builtin_memcpy(dst + bytes - 64, src + bytes - 64, 64);
  } else if (bytes >= 32) {
    __builtin_memcpy(dst, src, 32);
    __builtin_memcpy(dst + bytes - 32, src + bytes - 32, 32);
  } else if (bytes >= 16) {
    __builtin_memcpy(dst, src, 16);
    __builtin_memcpy(dst + bytes - 16, src + bytes - 16, 16);
  } else if (bytes >= 8) {
    __builtin_memcpy(dst, src, 8);
    __builtin_memcpy(dst + bytes - 8, src + bytes - 8, 8);
  } else {
    *to = *from;
  }
}

template <class T>
void copy_rows(T* to, int64_t to_pitch, const T* from, int64_t from_pitch, int64_t rows, int64_t cols) {
  if (to_pitch == cols && from_pitch == cols) cols *= rows, rows = rows > 0;
  for (int64_t i = 0; i < rows; ++i) copy_row(to + i * to_pitch, from + i * from_pitch, cols);
}

template <class T>
T* align(T* p) {
  constexpr uintptr_t kBytes = 64;  // a cache line, and the widest vector of any ISA
  return p + (kBytes - reinterpret_cast<uintptr_t>(p) % kBytes) % kBytes / sizeof(T);
}

template <class T>
void set_zero(T* p, int64_t count) {
  __builtin_memset(p, 0, static_cast<size_t>(count) * sizeof(T));
}

// `total` cut into the fewest blocks of at most `most`, as equal as can be: the first `larger` blocks
// hold size + 1, the others size. One long block and a stub would leave the stub waiting on latency.
struct Split {
  int64_t blocks, size, larger;
  Split(int64_t total, int64_t most)
      : blocks((total + most - 1) / most), size(blocks ? total / blocks : 0), larger(total - blocks * size) {}
  int64_t operator[](int64_t block) const { return size + (block < larger ? 1 : 0); }
};

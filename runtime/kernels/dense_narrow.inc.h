// Part of dense.inc.h: layers of few outputs, f32. Lanes run along the inputs and every output has a sum of
// its own, so that no lane is spent on outputs that are not there.

// Sum of the lanes as a tree of halves.
template <int Bytes>
[[gnu::always_inline]] inline float sum_lanes(const typename VectorOf<float, Bytes>::type& v) {
  if constexpr (Bytes == 0) {
    return v;
  } else if constexpr (Bytes == 16) {
    return (v[0] + v[2]) + (v[1] + v[3]);
  } else {
    struct Halves {
      typename VectorOf<float, Bytes / 2>::type low, high;
    };
    const Halves halves = __builtin_bit_cast(Halves, v);  // memcpy would go by the stack
    return sum_lanes<Bytes / 2>(halves.low + halves.high);
  }
}

// Lanes beyond the end of a row are `rest`.
[[gnu::always_inline]] inline F32 load_or(const float* x, int64_t left, float rest) {
  if (left >= kLanes) return load(x);
  float lanes[kLanes];
  for (int i = 0; i < kLanes; ++i) lanes[i] = i < left ? x[i] : rest;
  return load(lanes);
}

template <int Outputs, int Rows>
[[gnu::noinline]] void narrow_block(const DenseCall& call, int64_t row) {
  const float* const x = static_cast<const float*>(call.x) + row * call.x_pitch;
  const float* w = static_cast<const float*>(call.weights);
  F32 sum[Rows][Outputs] = {};
  const auto add = [&](int64_t k, bool whole) __attribute__((always_inline)) {
    CBNET_UNROLL for (int v = 0; v < kVectors; ++v) {
      const int64_t at = k + v * kLanes;
      F32 inputs[Rows];
      CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
        const float* const from = x + r * call.x_pitch + at;
        inputs[r] = whole ? load(from) : load_or(from, call.steps - at, 0.0F);
      }
      CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
        const F32 weights = load(w + o * kDenseGroup + v * kLanes);
        CBNET_UNROLL for (int r = 0; r < Rows; ++r) sum[r][o] += weights * inputs[r];
      }
    }
    w += Outputs * kDenseGroup;
  };
  int64_t k = 0;
  for (; k + kDenseGroup <= call.steps; k += kDenseGroup) add(k, true);
  if (k < call.steps) add(k, false);

  alignas(64) float sums[Rows][kDenseGroup] = {};
  CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
    CBNET_UNROLL for (int o = 0; o < Outputs; ++o) sums[r][o] = sum_lanes<CBNET_VECTOR_BYTES>(sum[r][o]);
  }
  finish(call, &sums[0][0], Rows, 1, row, 0);
}

template <int Outputs>
void narrow_rows(const DenseCall& call) {
  int64_t row = 0;
  for (; row + kDenseNarrow.rows <= call.rows; row += kDenseNarrow.rows) {
    narrow_block<Outputs, kDenseNarrow.rows>(call, row);
  }
  for (; row < call.rows; ++row) narrow_block<Outputs, 1>(call, row);
}

template <int Outputs>
void narrow_outputs(const DenseCall& call) {
  if constexpr (Outputs > 1) {
    if (call.out < Outputs) return narrow_outputs<Outputs - 1>(call);
  }
  narrow_rows<Outputs>(call);
}

void run_narrow(const DenseCall& call) { narrow_outputs<kDenseNarrow.outputs>(call); }

// Part of dense.inc.h: from sums to outputs.

#if CBNET_VECTOR_BYTES
[[gnu::always_inline]] inline F32 to_float(I32 v) { return __builtin_convertvector(v, F32); }
#else
[[gnu::always_inline]] inline F32 to_float(I32 v) { return static_cast<float>(v); }
#endif

[[gnu::always_inline]] inline F32 scaled(const DenseCall& call, const float* sums, int64_t at) {
  return load(sums) + load(call.bias + at);
}
[[gnu::always_inline]] inline F32 scaled(const DenseCall& call, const int32_t* sums, int64_t at) {
  return to_float(load(sums) + load(call.offset + at)) * load(call.multiplier + at) + load(call.bias + at);
}

[[gnu::always_inline]] inline F32 activate(F32 v, Activation activation, float slope) {
  switch (activation) {
    case Activation::none:
      return v;
    case Activation::relu:
      return v < 0.0F ? F32{} : v;  // NaN stays
    case Activation::leaky_relu:
      return v < 0.0F ? v * slope : v;
    case Activation::sigmoid:
      return sigmoid(v);
    case Activation::tanh:
      return tanh(v);
  }
  return v;
}

// sums: (rows, groups * 16) of the rows from `row` and the groups from `group` on.
template <class Sum>
[[gnu::noinline]] void finish(const DenseCall& call, const Sum* sums, int rows, int groups, int64_t row,
                              int64_t group) {
  for (int r = 0; r < rows; ++r) {
    for (int g = 0; g < groups; ++g, sums += kDenseGroup) {
      const int64_t at = (group + g) * kDenseGroup;
      const int64_t left = call.out - at, count = left < kDenseGroup ? left : kDenseGroup;
      alignas(64) float y[kDenseGroup];
      for (int v = 0; v < kVectors; ++v) {
        const F32 sum = scaled(call, sums + v * kLanes, at + v * kLanes);
        store(y + v * kLanes, activate(sum, call.activation, call.slope));
      }
      const int64_t to = (row + r) * call.y_pitch + at;
      if (call.y_u8) {
        alignas(64) uint8_t q[kDenseGroup];
        for (int v = 0; v < kVectors; ++v) {
          const F32 real = load(y + v * kLanes) * call.y_inverse_scale + call.y_zero_point;
          const U32 rounded = bits<U32>(clamp_drop_nan(real, 0.0F, 255.0F) + kRounding);
          alignas(64) uint32_t low[kLanes];
          store(low, rounded);
          for (int i = 0; i < kLanes; ++i) q[v * kLanes + i] = static_cast<uint8_t>(low[i]);
        }
        uint8_t* const out = static_cast<uint8_t*>(call.y) + to;
        if (count == kDenseGroup) {
          __builtin_memcpy(out, q, sizeof q);
        } else {
          for (int64_t i = 0; i < count; ++i) out[i] = q[i];
        }
      } else {
        float* const out = static_cast<float*>(call.y) + to;
        if (count == kDenseGroup) {
          __builtin_memcpy(out, y, sizeof y);
        } else {
          for (int64_t i = 0; i < count; ++i) out[i] = y[i];
        }
      }
    }
  }
}

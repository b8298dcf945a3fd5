// The body of winograd.h, included by isa/table.inc.h after conv.inc.h.

// B' d of a vector of pairs, one vector a point, `step` elements apart. even, odd: the pixels of even and odd number
// of the row, from under the first of the pairs on.
template <int K>
[[gnu::always_inline]] inline void transform_pairs(const float* even, const float* odd, int32_t count, float* to,
                                                   int64_t step) {
  const Vec d0 = load(even), d1 = load(odd), d2 = load(even + 1), d3 = load(odd + 1);
  const auto put = [&](int point, Vec v) __attribute__((always_inline)) {
    store(to + point * step, iota() < count ? v : Vec{});
  };
  if constexpr (K == 3) {
    put(0, d0 - d2);
    put(1, d1 + d2);
    put(2, d2 - d1);
    put(3, d3 - d1);
  } else {
    const Vec d4 = load(even + 2), d5 = load(odd + 2);
    const Vec a = d4 - 4.0F * d2, b = d3 - 4.0F * d1;
    const Vec c = d4 - d2, e = 2.0F * (d3 - d1);
    put(0, 4.0F * d0 - 5.0F * d2 + d4);
    put(1, a + b);
    put(2, a - b);
    put(3, c + e);
    put(4, c - e);
    put(5, 4.0F * d1 - 5.0F * d3 + d5);
  }
}

// Planes of B' d for every point and channel, with zero rows around. `row` holds a padded row of pixels, then its
// even and its odd ones.
template <int K>
void transform_planes(const Winograd& a, const float* in, float* row, float* to) {
  const int64_t width = 2 * a.pairs + K - 1;                     // pixels under a row of pairs
  const int64_t size = width + 2 * kLanes + a.w;
  float* const evens = row + size;
  float* const odds = evens + a.pairs + K + 2 * kLanes;
  for (int64_t j = 0; j < size; ++j) row[j] = 0.0F;
  const VecInt lane = iota();
  const int64_t border = a.padding * a.pairs;
  const int64_t step = a.sums.c * a.sums.in_plane;  // from one point to the next
  for (int64_t c = 0; c < a.sums.c; ++c, to += a.sums.in_plane) {
    for (int64_t point = 0; point < a.points; ++point) {
      float* plane = to + point * step;
      for (int64_t j = 0; j < border; j += kLanes) store(plane + j, Vec{});
    }
    float* pairs = to + border;
    for (int64_t i = 0; i < a.h; ++i, in += a.w, pairs += a.pairs) {
      for (int64_t j = 0; j < a.w; j += kLanes) {
        const Vec x = load(in + j);
        store(row + a.padding + j, lane < static_cast<int32_t>(a.w - j) ? x : Vec{});
      }
      for (int64_t j = 0; j < a.pairs + K / 2; j += kLanes) {
        const Vec left = load(row + 2 * j), right = load(row + 2 * j + kLanes);
        store(evens + j, even(left, right));
        store(odds + j, odd(left, right));
      }
      for (int64_t j = 0; j < a.pairs; j += kLanes) {
        transform_pairs<K>(evens + j, odds + j, static_cast<int32_t>(a.pairs - j), pairs + j, step);
      }
    }
    for (int64_t point = 0; point < a.points; ++point) {
      for (int64_t j = 0; j < border; j += kLanes) store(pairs + point * step + j, Vec{});
    }
  }
}

// A' of one block's sums, bias, and the larger of each pair -> planes of pooled rows.
template <int K>
void pool_pairs(const Winograd& a, const ConvBlock& block, int64_t outputs, const float* sums, const float* bias,
                float* to) {
  const int64_t plane = 4 * kLanes;
  const int64_t step = outputs * plane;  // from one point to the next
  for (int64_t o = 0; o < outputs; ++o, sums += plane, to += a.sums.scratch_plane) {
    for (int64_t v = 0; v < block.vectors * kLanes; v += kLanes) {
      const auto sum = [&](int64_t point) __attribute__((always_inline)) { return load(sums + point * step + v); };
      Vec first, second;
      if constexpr (K == 3) {
        const Vec m1 = sum(1), m2 = sum(2);
        first = sum(0) + (m1 + m2);
        second = (m1 - m2) + sum(3);
      } else {
        const Vec m1 = sum(1), m2 = sum(2), m3 = sum(3), m4 = sum(4);
        first = sum(0) + (m1 + m2) + (m3 + m4);
        second = (m1 - m2) + 2.0F * (m3 - m4) + sum(5);
      }
      if (a.last != nullptr) second += load(a.last + block.q + v);
      store(to + block.q + v, max(first, second) + broadcast(bias[o]));
    }
  }
}

template <int K>
void winograd_planes(const Winograd& a, const float* in, float* scratch, float* out) {
  const Conv& sums = a.sums;
  float* const row = scratch;
  float* const transformed = row + 3 * (2 * a.pairs + 2 * kSlack + a.w);
  float* const products = transformed + a.points * sums.c * sums.in_plane;
  float* const pooled = products + a.points * sums.outputs * 4 * kLanes;
  transform_planes<K>(a, in, row, transformed);
  out += sums.out_first;
  const int64_t taps = sums.c * a.k;
  const VecInt lane = iota();
  for (int64_t first = 0; first < sums.o; first += sums.outputs) {
    const int64_t outputs = sums.outputs < sums.o - first ? sums.outputs : sums.o - first;
    const float* w = sums.packed + first * taps * a.points;
    for (int64_t b = 0; b < sums.block_count; ++b) {
      const ConvBlock& block = sums.blocks[b];
      const BlockFn fn = block_fn(block.vectors, outputs, 1);
      for (int64_t point = 0; point < a.points; ++point) {
        fn(sums, block, transformed + point * sums.c * sums.in_plane, w + point * taps * outputs, nullptr,
           products + point * outputs * 4 * kLanes);
      }
      pool_pairs<K>(a, block, outputs, products, sums.bias + first, pooled);
    }
    for (int64_t o = 0; o < outputs; ++o) {
      const float* plane = pooled + o * sums.scratch_plane;
      float* to = out + (first + o) * sums.out_plane;
      for (int64_t i = 0; i < sums.ph; ++i, to += sums.out_row) {
        const float* upper = plane + 2 * i * a.pairs;
        const float* lower = 2 * i + 1 < sums.oh ? upper + a.pairs : upper;
        for (int64_t j = 0; j < sums.pw; j += kLanes) {
          Vec y = max(load(upper + j), load(lower + j));
          if (sums.relu) y = max(y, Vec{});
          store(to + j, lane < static_cast<int32_t>(sums.pw - j) ? y : Vec{});
        }
      }
    }
  }
}

void winograd_run(const Winograd& a, const float* in, float* scratch, float* out) {
  a.k == 3 ? winograd_planes<3>(a, in, scratch, out) : winograd_planes<5>(a, in, scratch, out);
}

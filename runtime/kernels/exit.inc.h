// The body of exit.h, included by isa/table.inc.h after simd.inc.h.

void classify_row(const float* x, int64_t classes, float* p, float* entropy, int64_t* label) {
  const VecInt lane = iota();
  const auto is_class = [&](int64_t i) __attribute__((always_inline)) {
    return lane < static_cast<int32_t>(classes - i);
  };
  Vec most = broadcast(x[0]);
  for (int64_t i = 0; i < classes; i += kLanes) most = max(is_class(i) ? load(x + i) : broadcast(x[0]), most);
  const float top = max_lanes(most);
  int64_t first = 0;
  while (first < classes - 1 && !(x[first] >= top)) ++first;
  const int32_t at = static_cast<int32_t>(first);
  Vec rest{}, weighted{};
  for (int64_t i = 0; i < classes; i += kLanes) {
    const Vec difference = load(x + i) - top;
    const Vec e = is_class(i) ? exp_negative(difference) : Vec{};
    const Vec product = is_class(i) ? e * difference : Vec{};
    rest += lane == at - static_cast<int32_t>(i) ? Vec{} : e;
    weighted += e > 0.0F ? product : Vec{};  // p ln p is 0 at p = 0, where ln p may be -inf
  }
  const float others = sum_lanes(rest);
  const float scale = 1.0F / (1.0F + others);
  for (int64_t i = 0; i < classes; i += kLanes) {
    const Vec e = exp_negative(load(x + i) - top) * scale;
    if (i + kLanes <= classes) {
      store(p + i, e);
    } else {
      float lanes[kLanes];
      *reinterpret_cast<VecLoose*>(lanes) = e;
      for (int64_t j = 0; j < classes - i; ++j) p[i + j] = lanes[j];
    }
  }
  // A NaN takes no part in a maximum, but in every sum.
  *entropy = __builtin_log1pf(others) - sum_lanes(weighted) * scale + (x[first] - x[first]);
  *label = *entropy == *entropy ? first : -1;
}

void classify_rows(const float* logits, int64_t n, int64_t classes, int64_t pitch, float* probabilities,
                   float* entropy, int64_t* labels) {
  for (int64_t i = 0; i < n; ++i)
    classify_row(logits + i * pitch, classes, probabilities + i * classes, entropy + i, labels + i);
}

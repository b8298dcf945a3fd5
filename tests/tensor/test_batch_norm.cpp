#include "tensor/cpu/kernels/batch_norm.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tensor/cpu/isa.h"
#include "tensor/cpu/kernels/isa_table.h"
#include "tests/tensor/conv2d_case.h"

using namespace cbnet;
using namespace cbnet::testing;
using kernels::ChannelPlanes;

namespace {

/// Calls fn(index of the element, channel) for every element of the planes.
template <class Fn>
void each(const ChannelPlanes& s, Fn fn) {
  for (int64_t n = 0; n < s.images; ++n) {
    for (int64_t i = 0; i < s.channels * s.plane; ++i) fn(n * s.pitch + i, i / s.plane);
  }
}

template <class T>
void check_planes(const ChannelPlanes& s) {
  // Exactly as long as it must be: the address sanitizer sees one element too many.
  const int64_t size = (s.images - 1) * s.pitch + s.channels * s.plane;
  Array<T> x = random_array<T>(size, 1), dy = random_array<T>(size, 2);
  Array<double> mean = random_array<double>(s.channels, 3);
  std::vector<kernels::BatchNormLine> lines;
  std::vector<kernels::BatchNormSlope> slopes;
  for (int64_t c = 0; c < s.channels; ++c) {
    lines.push_back({mean[c], 1.5 + static_cast<double>(c), -0.5});
    slopes.push_back({mean[c], 1.5, 0.125 * static_cast<double>(c), 0.75});
  }
  Sums sums(2 * s.channels), of_x(2 * s.channels);
  Array<T> y(size, T(7)), dx(size, T(7));
  each(s, [&](int64_t i, int64_t c) {
    const auto& line = lines[static_cast<std::size_t>(c)];
    const auto& slope = slopes[static_cast<std::size_t>(c)];
    const double centred = static_cast<double>(x[i]) - mean[c], grad = dy[i];
    sums.add(2 * c, grad);
    sums.add(2 * c + 1, grad * centred);
    of_x.add(2 * c, centred);
    of_x.add(2 * c + 1, centred * centred);
    y[i] = static_cast<T>(centred * line.scale + line.beta);
    dx[i] = static_cast<T>(slope.scale * (grad - slope.mean_dy - centred * slope.slope));
  });
  for (const Isa isa : available_isas()) {
    const kernels::IsaTable<T>& k = kernels::isa_table<T>(isa);
    INFO(to_string(isa) << " " << s.images << " images of " << s.channels << " planes of " << s.plane);
    const auto check_sums = [&](const T* grad, const Sums& want) {
      std::vector<kernels::BatchNormSums> got(static_cast<std::size_t>(s.channels), {{-1.0, -1.0}});
      k.batch_norm_sums(x.get(), grad, s, mean.get(), got.data());
      Array<double> flat(2 * s.channels);
      for (int64_t i = 0; i < flat.size; ++i) flat[i] = got[static_cast<std::size_t>(i / 2)].sums[i % 2];
      check_close(flat, want, "sums");
    };
    check_sums(dy.get(), sums);
    check_sums(nullptr, of_x);
    Array<T> forward(size, T(7)), backward(size, T(7));
    k.batch_norm_forward(x.get(), forward.get(), s, lines.data());
    k.batch_norm_backward(x.get(), dy.get(), backward.get(), s, slopes.data());
    double worst = 0.0;
    for (int64_t i = 0; i < size; ++i) {
      worst = std::max({worst, std::abs(static_cast<double>(forward[i] - y[i])),
                        std::abs(static_cast<double>(backward[i] - dx[i]))});
    }
    // Values are below 64; what lies between planes stays 7.
    CHECK(worst <= 64 * std::numeric_limits<T>::epsilon());
  }
}

}  // namespace

TEST_CASE("batch_norm kernels: planes of every size up to several vectors, and what lies between them") {
  for (int64_t plane = 1; plane <= 70; ++plane) {
    for (const int64_t channels : {1, 3, 16}) {
      check_planes<float>({3, channels * plane + plane % 3, plane, channels});
      check_planes<double>({3, channels * plane + plane % 3, plane, channels});
    }
  }
  for (const int64_t plane : {255, 256, 257, 291}) {
    check_planes<float>({2, 2 * plane + 1, plane, 2});
    check_planes<double>({2, 2 * plane + 1, plane, 2});
  }
}

#include "tensor/cpu/kernels/batch_norm.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/cpu/isa.h"
#include "tensor/cpu/kernels/isa_table.h"
#include "tests/tensor/conv2d_case.h"

using namespace cbnet;
using namespace cbnet::testing;
using kernels::ChannelPlanes;

namespace {

/// Calls fn(index of the element) for every element of the planes.
template <class Fn>
void each(const ChannelPlanes& s, Fn fn) {
  for (int64_t n = 0; n < s.images; ++n) {
    for (int64_t i = 0; i < s.plane; ++i) fn(n * s.pitch + i);
  }
}

template <class T>
void check_planes(const ChannelPlanes& s) {
  // Exactly as long as it must be: the address sanitizer sees one element too many.
  const int64_t size = (s.images - 1) * s.pitch + s.plane;
  Array<T> x = random_array<T>(size, 1), dy = random_array<T>(size, 2);
  const double mean = 0.25, scale = 1.5, beta = -0.5, mean_dy = 0.125, slope = 0.75;
  Sums sums(2), of_x(2);
  Array<T> y(size, T(7)), dx(size, T(7));
  each(s, [&](int64_t i) {
    const double centred = static_cast<double>(x[i]) - mean, grad = dy[i];
    sums.add(0, grad);
    sums.add(1, grad * centred);
    of_x.add(0, centred);
    of_x.add(1, centred * centred);
    y[i] = static_cast<T>(centred * scale + beta);
    dx[i] = static_cast<T>(scale * (grad - mean_dy - centred * slope));
  });
  for (const Isa isa : available_isas()) {
    const kernels::IsaTable<T>& k = kernels::isa_table<T>(isa);
    INFO(to_string(isa) << " " << s.images << " planes of " << s.plane);
    Array<double> got(2), got_x(2);
    k.batch_norm_sums(x.get(), dy.get(), s, mean, got.get());
    k.batch_norm_sums(x.get(), nullptr, s, mean, got_x.get());
    check_close(got, sums, "sums of dy");
    check_close(got_x, of_x, "sums of x");
    Array<T> forward(size, T(7)), backward(size, T(7));
    k.batch_norm_forward(x.get(), forward.get(), s, {mean, scale, beta});
    k.batch_norm_backward(x.get(), dy.get(), backward.get(), s, {mean, scale, mean_dy, slope});
    double worst = 0.0;
    for (int64_t i = 0; i < size; ++i) {
      worst = std::max({worst, std::abs(static_cast<double>(forward[i] - y[i])),
                        std::abs(static_cast<double>(backward[i] - dx[i]))});
    }
    CHECK(worst <= 4 * std::numeric_limits<T>::epsilon());  // what lies between planes stays 7
  }
}

}  // namespace

TEST_CASE("batch_norm kernels: planes of every size up to several vectors, and what lies between them") {
  for (int64_t plane = 1; plane <= 70; ++plane) {
    for (const int64_t gap : {0, 3}) {
      check_planes<float>({3, plane + gap, plane});
      check_planes<double>({3, plane + gap, plane});
    }
  }
}

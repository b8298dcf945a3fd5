#include "tensor/cpu/kernels/conv2d_1x1.h"

#include <doctest/doctest.h>

#include <limits>

#include "tensor/cpu/isa.h"
#include "tensor/cpu/kernels/isa_table.h"
#include "tests/tensor/conv2d_case.h"

using namespace cbnet;
using namespace cbnet::testing;
using kernels::Conv1x1;

namespace {

template <class T>
void check_images(const Conv1x1& d) {
  Array<T> x = random_array<T>(d.n * d.c * d.plane, 1), w = random_array<T>(d.c * d.o, 2);
  Array<T> bias = random_array<T>(d.o, 3);
  for (const bool with_bias : {true, false}) {
    Sums want(d.n * d.o * d.plane);
    for (int64_t i = 0; i < d.n * d.o * d.plane; ++i) {
      const int64_t n = i / (d.o * d.plane), o = i / d.plane % d.o, q = i % d.plane;
      if (with_bias) want.add(i, bias[o]);
      for (int64_t c = 0; c < d.c; ++c) {
        want.add(i, static_cast<double>(x[(n * d.c + c) * d.plane + q]) *
                        static_cast<double>(w[o * d.o_step + c * d.c_step]));
      }
    }
    for (const Isa isa : available_isas()) {
      const kernels::IsaTable<T>& k = kernels::isa_table<T>(isa);
      if (d.plane < k.lanes) continue;
      INFO(to_string(isa) << " " << d.n << " images, " << d.c << " to " << d.o << " channels of " << d.plane);
      constexpr T kUnset = std::numeric_limits<T>::quiet_NaN();
      Array<T> y(d.n * d.o * d.plane, kUnset);
      Array<T> workspace(static_cast<int64_t>(conv2d_1x1_workspace(d)), kUnset);
      k.conv2d_1x1(x.get(), w.get(), with_bias ? bias.get() : nullptr, y.get(), d, workspace.get());
      check_close(y, want, "y");
    }
  }
}

void check_both(int64_t n, int64_t c, int64_t o, int64_t plane) {
  for (const bool transposed : {false, true}) {
    const Conv1x1 d{n, c, o, plane, transposed ? 1 : c, transposed ? o : 1};
    check_images<float>(d);
    check_images<double>(d);
  }
}

}  // namespace

TEST_CASE("conv2d_1x1: planes of every size from one vector on") {
  for (int64_t plane = 1; plane <= 70; ++plane) check_both(3, 2, 7, plane);
}

TEST_CASE("conv2d_1x1: every rest of images and channels") {
  for (int64_t n = 1; n <= 9; ++n) check_both(n, 3, 5, 17);
  for (int64_t o = 1; o <= 14; ++o) check_both(2, 5, o, 33);
  for (const int64_t c : {1, 2, 64, 130}) check_both(2, c, 6, 49);
}

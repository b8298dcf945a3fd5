#include "tensor/cpu/kernels/conv2d_direct.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tensor/cpu/isa.h"
#include "tensor/cpu/kernels/isa_table.h"
#include "tests/tensor/conv2d_case.h"

using cbnet::kernels::Conv2dDims;
using cbnet::kernels::Conv2dPass;
using cbnet::kernels::IsaTable;
using namespace cbnet::testing;

namespace {

// NaN in every element: a workspace element read before it is written shows in the result.
template <class T>
Array<T> workspace(const Conv2dDims& d, Conv2dPass pass) {
  return Array<T>(static_cast<int64_t>(conv2d_direct_workspace(d, pass)),
                  std::numeric_limits<T>::quiet_NaN());
}

template <class T>
struct Case {
  explicit Case(const Conv2dDims& dims)
      : d(dims),
        x(random_array<T>(d.n * d.c * d.h * d.w, 1)),
        w(random_array<T>(d.o * d.c * d.kh * d.kw, 2)),
        bias(random_array<T>(d.o, 3)),
        dy(random_array<T>(d.n * d.o * d.oh() * d.ow(), 4)) {}

  Array<T> forward(const IsaTable<T>& k, bool with_bias = true) {
    Array<T> y(dy.size), ws = workspace<T>(d, Conv2dPass::forward);
    k.conv2d_forward(x.get(), w.get(), with_bias ? bias.get() : nullptr, y.get(), d, ws.get());
    return y;
  }
  Array<T> backward_input(const IsaTable<T>& k) {
    Array<T> dx(x.size), ws = workspace<T>(d, Conv2dPass::backward_input);
    k.conv2d_backward_input(dy.get(), w.get(), dx.get(), d, ws.get());
    return dx;
  }
  Array<T> backward_weight(const IsaTable<T>& k, T start = T(0)) {
    Array<T> dw(w.size, start), ws = workspace<T>(d, Conv2dPass::backward_weight);
    k.conv2d_backward_weight(x.get(), dy.get(), dw.get(), d, ws.get());
    return dw;
  }

  Conv2dDims d;
  Array<T> x, w, bias, dy;
};

template <class T>
void check_all(const Conv2dDims& d) {
  Case<T> t(d);
  Sums y(t.dy.size), y_bias(t.dy.size), dx(t.x.size), dw(t.w.size), dw_from_one(t.w.size);
  for (int64_t i = 0; i < t.dy.size; ++i) y_bias.add(i, t.bias[i / (d.oh() * d.ow()) % d.o]);
  for (int64_t i = 0; i < t.w.size; ++i) dw_from_one.add(i, 1.0);
  each_product(d, [&](int64_t ix, int64_t iw, int64_t iy) {
    const double xv = t.x[ix], wv = t.w[iw], dv = t.dy[iy];
    y.add(iy, xv * wv);
    y_bias.add(iy, xv * wv);
    dx.add(ix, dv * wv);
    dw.add(iw, dv * xv);
    dw_from_one.add(iw, dv * xv);
  });
  for (const cbnet::Isa isa : cbnet::available_isas()) {
    const IsaTable<T>& k = cbnet::kernels::isa_table<T>(isa);
    const std::string where = std::string(cbnet::to_string(isa)) + (sizeof(T) == 4 ? " f32 " : " f64 ");
    INFO(where << name_of(d));
    check_close(t.forward(k), y_bias, "forward");
    check_close(t.forward(k, false), y, "forward without bias");
    check_close(t.backward_input(k), dx, "backward_input");
    check_close(t.backward_weight(k), dw, "backward_weight");
    check_close(t.backward_weight(k, T(1)), dw_from_one, "backward_weight into ones");
    CHECK(same_bits(t.backward_weight(k), t.backward_weight(k)));
  }
}

void check_both(const Conv2dDims& d) {
  REQUIRE(d.oh() >= 1);
  REQUIRE(d.ow() >= 1);
  check_all<float>(d);
  check_all<double>(d);
}

}  // namespace

TEST_CASE("conv2d_direct: the convolutions of LeNet and its branch") {
  check_both({2, 1, 28, 28, 5, 5, 5, 3, 3});
  check_both({3, 5, 15, 15, 10, 5, 5, 3, 3});
  check_both({9, 10, 9, 9, 20, 5, 5, 3, 3});  // 9 images: one full group of backward_weight and a rest
  check_both({3, 5, 15, 15, 10, 3, 3, 1, 1});
}

TEST_CASE("conv2d_direct: every padding below the kernel size") {
  for (int64_t kernel : {1, 2, 3, 5, 7}) {
    for (int64_t pad = 0; pad < kernel; ++pad) check_both({2, 3, 7, 9, 5, kernel, kernel, pad, pad});
  }
  for (int64_t pad_h = 0; pad_h < 3; ++pad_h) {
    for (int64_t pad_w = 0; pad_w < 3; ++pad_w) check_both({2, 2, 5, 6, 3, 3, 3, pad_h, pad_w});
  }
}

TEST_CASE("conv2d_direct: channel counts on both sides") {
  for (int64_t c : {1, 3, 5, 7, 13, 16, 17, 20}) {
    check_both({2, c, 6, 5, 4, 3, 3, 1, 1});
    check_both({2, 2, 6, 5, c, 3, 3, 1, 1});
    check_both({1, c, 4, 4, c, 1, 1, 0, 0});
  }
  check_both({1, 17, 5, 5, 13, 5, 5, 2, 2});
}

TEST_CASE("conv2d_direct: images and kernels that are not square") {
  check_both({2, 3, 4, 19, 7, 1, 5, 0, 2});
  check_both({2, 3, 19, 4, 7, 5, 1, 4, 0});
  check_both({2, 3, 11, 3, 6, 2, 3, 1, 2});
  check_both({1, 1, 1, 40, 1, 1, 7, 0, 3});
  check_both({1, 1, 40, 1, 1, 7, 1, 3, 0});
}

TEST_CASE("conv2d_direct: outputs of a single pixel, and images of one") {
  check_both({1, 1, 1, 1, 1, 1, 1, 0, 0});
  check_both({3, 2, 1, 1, 3, 3, 3, 1, 1});
  check_both({2, 3, 5, 5, 7, 5, 5, 0, 0});
  check_both({2, 3, 1, 1, 7, 5, 5, 4, 4});
  check_both({2, 3, 1, 2, 7, 3, 4, 2, 3});
}

TEST_CASE("conv2d_direct: every width of row and tail of vectors") {
  for (int64_t width = 1; width <= 36; ++width) check_both({1, 2, 3, width, 5, 3, 3, 1, 1});
}

TEST_CASE_TEMPLATE("conv2d_direct: no images, nothing written", T, float, double) {
  for (const cbnet::Isa isa : cbnet::available_isas()) {
    Case<T> t({0, 2, 5, 5, 3, 3, 3, 1, 1});
    const IsaTable<T>& k = cbnet::kernels::isa_table<T>(isa);
    CHECK(t.forward(k).size == 0);
    CHECK(t.backward_input(k).size == 0);
    const Array<T> dw = t.backward_weight(k, T(7));
    for (int64_t i = 0; i < dw.size; ++i) CHECK(dw[i] == T(7));
  }
}

// The oracle for non-finite pixels: which results hold the pixel in their sums. Those that do not must be
// finite. Weights and gradients are never zero here, so those that do must not be.
TEST_CASE_TEMPLATE("conv2d_direct: a pixel that is not finite reaches its own results and no others", T,
                   float, double) {
  const std::vector<Conv2dDims> shapes = {{2, 2, 5, 6, 3, 3, 3, 0, 0}, {2, 2, 5, 6, 3, 3, 3, 1, 1},
                                          {1, 1, 4, 5, 6, 5, 5, 3, 3}, {1, 2, 5, 20, 2, 2, 5, 0, 1},
                                          {2, 1, 4, 4, 2, 3, 3, 2, 2}, {2, 3, 4, 4, 2, 1, 1, 0, 0}};
  for (const T bad : {std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()}) {
    for (const Conv2dDims& d : shapes) {
      for (int64_t pixel = 0; pixel < d.n * d.c * d.h * d.w; pixel += 3) {
        Case<T> t(d);
        t.x[pixel] = bad;
        std::vector<bool> in_y(static_cast<size_t>(t.dy.size)), in_dw(static_cast<size_t>(t.w.size));
        each_product(d, [&](int64_t ix, int64_t iw, int64_t iy) {
          if (ix == pixel) in_y[static_cast<size_t>(iy)] = in_dw[static_cast<size_t>(iw)] = true;
        });
        for (const cbnet::Isa isa : cbnet::available_isas()) {
          const IsaTable<T>& k = cbnet::kernels::isa_table<T>(isa);
          const Array<T> y = t.forward(k), dw = t.backward_weight(k);
          bool y_agrees = true, dw_agrees = true;
          for (int64_t i = 0; i < y.size; ++i)
            y_agrees = y_agrees && std::isfinite(y[i]) != in_y[static_cast<size_t>(i)];
          for (int64_t i = 0; i < dw.size; ++i)
            dw_agrees = dw_agrees && std::isfinite(dw[i]) != in_dw[static_cast<size_t>(i)];
          INFO(cbnet::to_string(isa) << " " << name_of(d) << " pixel " << pixel);
          CHECK(y_agrees);
          CHECK(dw_agrees);
        }
      }
      for (int64_t pixel = 0; pixel < d.n * d.o * d.oh() * d.ow(); pixel += 3) {
        Case<T> t(d);
        t.dy[pixel] = bad;
        std::vector<bool> in_dx(static_cast<size_t>(t.x.size));
        each_product(d, [&](int64_t ix, int64_t, int64_t iy) {
          if (iy == pixel) in_dx[static_cast<size_t>(ix)] = true;
        });
        for (const cbnet::Isa isa : cbnet::available_isas()) {
          const Array<T> dx = t.backward_input(cbnet::kernels::isa_table<T>(isa));
          bool agrees = true;
          for (int64_t i = 0; i < dx.size; ++i)
            agrees = agrees && std::isfinite(dx[i]) != in_dx[static_cast<size_t>(i)];
          INFO(cbnet::to_string(isa) << " " << name_of(d) << " gradient pixel " << pixel);
          CHECK(agrees);
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("conv2d_direct: an infinite pixel gives an infinite gradient, not NaN", T, float, double) {
  // One output pixel, so that each tap's sum is one product: dw[t] = dy * x[t].
  Case<T> t({1, 1, 3, 3, 1, 3, 3, 0, 0});
  t.x[4] = std::numeric_limits<T>::infinity();
  t.dy[0] = T(2);
  for (const cbnet::Isa isa : cbnet::available_isas()) {
    const Array<T> dw = t.backward_weight(cbnet::kernels::isa_table<T>(isa));
    for (int64_t i = 0; i < dw.size; ++i) CHECK(dw[i] == T(2) * t.x[i]);
  }
}

TEST_CASE_TEMPLATE("conv2d_direct: padding is zeros, so a weight that is not finite meets 0 * inf", T, float,
                   double) {
  Case<T> t({1, 1, 3, 3, 1, 3, 3, 1, 1});
  t.w[0] = std::numeric_limits<T>::infinity();  // tap (0, 0): over padding in the first row and column
  for (const cbnet::Isa isa : cbnet::available_isas()) {
    const Array<T> y = t.forward(cbnet::kernels::isa_table<T>(isa));
    CHECK(std::isnan(y[0]));
    CHECK(std::isinf(y[8]));
  }
}

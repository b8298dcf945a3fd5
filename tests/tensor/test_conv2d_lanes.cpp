#include "tensor/cpu/kernels/conv2d_lanes.h"

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
using cbnet::kernels::IsaTable;
using namespace cbnet::testing;

namespace {

template <class T>
struct Case {
  explicit Case(const Conv2dDims& dims)
      : d(dims),
        x(random_array<T>(d.n * d.c * d.h * d.w, 1)),
        w(random_array<T>(d.o * d.c / d.groups * d.kh * d.kw, 2)),
        bias(random_array<T>(d.o, 3)),
        dy(random_array<T>(d.n * d.o * d.oh() * d.ow(), 4)) {}

  // NaN in every element: one read before it is written shows in the result.
  Array<T> workspace() const {
    return Array<T>(static_cast<int64_t>(conv2d_lanes_workspace(d)), std::numeric_limits<T>::quiet_NaN());
  }
  Array<T> forward(const IsaTable<T>& k, bool with_bias = true) {
    Array<T> y(dy.size), ws = workspace();
    k.conv2d_lanes_forward(x.get(), w.get(), with_bias ? bias.get() : nullptr, y.get(), d, ws.get());
    return y;
  }
  struct Gradients {
    Array<T> dx, dw;
    Array<double> dbias;
  };
  Gradients backward(const IsaTable<T>& k) {
    Gradients g{Array<T>(x.size), Array<T>(w.size, T(1)), Array<double>(d.o, 1.0)};
    Array<T> ws = workspace();
    k.conv2d_lanes_backward({x.get(), w.get(), dy.get(), g.dx.get(), g.dw.get(), g.dbias.get()}, d, ws.get());
    return g;
  }

  Conv2dDims d;
  Array<T> x, w, bias, dy;
};

template <class T>
void check_all(const Conv2dDims& d) {
  Case<T> t(d);
  // dw and dbias are added to ones.
  Sums y(t.dy.size), y_bias(t.dy.size), dx(t.x.size), dw(t.w.size), dbias(d.o);
  for (int64_t i = 0; i < t.dy.size; ++i) {
    const int64_t o = i / (d.oh() * d.ow()) % d.o;
    y_bias.add(i, t.bias[o]);
    dbias.add(o, t.dy[i]);
  }
  for (int64_t i = 0; i < t.w.size; ++i) dw.add(i, 1.0);
  for (int64_t o = 0; o < d.o; ++o) dbias.add(o, 1.0);
  each_product(d, [&](int64_t ix, int64_t iw, int64_t iy) {
    const double xv = t.x[ix], wv = t.w[iw], dv = t.dy[iy];
    y.add(iy, xv * wv);
    y_bias.add(iy, xv * wv);
    dx.add(ix, dv * wv);
    dw.add(iw, dv * xv);
  });
  for (const cbnet::Isa isa : cbnet::available_isas()) {
    const IsaTable<T>& k = cbnet::kernels::isa_table<T>(isa);
    INFO(cbnet::to_string(isa) << (sizeof(T) == 4 ? " f32 " : " f64 ") << name_of(d));
    check_close(t.forward(k), y_bias, "forward");
    check_close(t.forward(k, false), y, "forward without bias");
    const auto got = t.backward(k);
    check_close(got.dx, dx, "dx");
    check_close(got.dw, dw, "dw");
    check_close(got.dbias, dbias, "dbias");
    CHECK(same_bits(t.backward(k).dw, got.dw));
  }
}

void check_both(const Conv2dDims& d) {
  REQUIRE(d.oh() >= 1);
  REQUIRE(d.ow() >= 1);
  check_all<float>(d);
  check_all<double>(d);
}

}  // namespace

TEST_CASE("conv2d_lanes: the convolutions of LeNet and its branch") {
  check_both({2, 1, 28, 28, 5, 5, 5, 3, 3});
  check_both({17, 5, 15, 15, 10, 5, 5, 3, 3});  // a group of the widest lanes, and one image more
  check_both({3, 10, 9, 9, 20, 5, 5, 3, 3});
  check_both({3, 5, 15, 15, 10, 3, 3, 1, 1});
}

TEST_CASE("conv2d_lanes: every count of images up to two groups") {
  for (int64_t n = 1; n <= 33; ++n) check_both({n, 2, 4, 5, 3, 3, 3, 1, 1});
}

TEST_CASE("conv2d_lanes: every padding below the kernel size") {
  for (int64_t kernel : {1, 2, 3, 5, 7}) {
    for (int64_t pad = 0; pad < kernel; ++pad) check_both({2, 3, 7, 9, 5, kernel, kernel, pad, pad});
  }
  for (int64_t pad_h = 0; pad_h < 3; ++pad_h) {
    for (int64_t pad_w = 0; pad_w < 3; ++pad_w) check_both({2, 2, 5, 6, 3, 3, 3, pad_h, pad_w});
  }
}

TEST_CASE("conv2d_lanes: channel counts on both sides, rows of every width") {
  for (int64_t c : {1, 3, 5, 7, 13, 17}) {
    check_both({2, c, 6, 5, 4, 3, 3, 1, 1});
    check_both({2, 2, 6, 5, c, 3, 3, 1, 1});
  }
  for (int64_t width = 1; width <= 20; ++width) check_both({2, 2, 3, width, 5, 3, 3, 1, 1});
}

TEST_CASE("conv2d_lanes: images and kernels that are not square, or of one pixel") {
  check_both({2, 3, 4, 19, 7, 1, 5, 0, 2});
  check_both({2, 3, 19, 4, 7, 5, 1, 4, 0});
  check_both({2, 3, 11, 3, 6, 2, 3, 1, 2});
  check_both({1, 1, 1, 1, 1, 1, 1, 0, 0});
  check_both({3, 2, 1, 1, 3, 3, 3, 1, 1});
  check_both({2, 3, 1, 1, 7, 5, 5, 4, 4});
  check_both({2, 3, 1, 2, 7, 3, 4, 2, 3});
}

TEST_CASE("conv2d_lanes: every stride with every dilation and padding, also wider than the kernel") {
  for (int64_t stride = 1; stride <= 4; ++stride) {
    for (int64_t dilation = 1; dilation <= 3; ++dilation) {
      for (int64_t kernel : {1, 2, 3}) {
        for (int64_t pad : {0, 1, 3}) {
          check_both({2, 2, 8, 9, 3, kernel, kernel, pad, pad, stride, stride, dilation, dilation});
        }
      }
    }
  }
  check_both({2, 2, 9, 23, 3, 3, 5, 0, 2, 3, 2, 1, 2});
  check_both({2, 1, 12, 12, 2, 2, 2, 0, 0, 6, 4, 3, 6});  // strides and dilations with a common divisor
  check_both({2, 1, 5, 5, 2, 1, 1, 7, 7, 3, 3});          // a window in the padding alone
}

TEST_CASE("conv2d_lanes: groups of one channel and of more, with as many outputs or more") {
  for (int64_t stride = 1; stride <= 3; ++stride) {
    check_both({2, 6, 7, 7, 6, 3, 3, 1, 1, stride, stride, 1, 1, 6});
    check_both({2, 3, 5, 8, 6, 3, 3, 1, 1, stride, stride, 1, 1, 3});
    check_both({2, 8, 6, 5, 12, 3, 3, 1, 1, stride, stride, 2, 2, 4});
  }
  check_both({18, 40, 9, 9, 40, 3, 3, 1, 1, 1, 1, 1, 1, 40});  // more groups than are in lanes at once
  check_both({2, 24, 3, 3, 24, 1, 1, 0, 0, 1, 1, 1, 1, 2});
}

TEST_CASE("conv2d_lanes: kernels of one pixel over wide channels, several sets of images") {
  check_both({35, 18, 4, 4, 33, 1, 1, 0, 0});
  check_both({2, 33, 7, 7, 18, 1, 1, 0, 0, 2, 2});
  check_both({150, 2, 2, 3, 3, 2, 2, 1, 1});
}

TEST_CASE_TEMPLATE(
    "conv2d_lanes: gradients that nobody asks for are not touched, and the others are the same", T, float,
    double) {
  for (const cbnet::Isa isa : cbnet::available_isas()) {
    const IsaTable<T>& k = cbnet::kernels::isa_table<T>(isa);
    Case<T> t({3, 2, 5, 6, 3, 3, 3, 1, 1});
    const auto all = t.backward(k);
    Array<T> dx(t.x.size), dw(t.w.size, T(1)), ws = t.workspace();
    Array<double> dbias(t.d.o, 1.0);
    k.conv2d_lanes_backward({t.x.get(), t.w.get(), t.dy.get(), dx.get(), nullptr, nullptr}, t.d, ws.get());
    k.conv2d_lanes_backward({t.x.get(), t.w.get(), t.dy.get(), nullptr, dw.get(), nullptr}, t.d, ws.get());
    k.conv2d_lanes_backward({t.x.get(), t.w.get(), t.dy.get(), nullptr, nullptr, dbias.get()}, t.d, ws.get());
    CHECK(same_bits(dx, all.dx));
    CHECK(same_bits(dw, all.dw));
    CHECK(same_bits(dbias, all.dbias));
  }
}

TEST_CASE_TEMPLATE("conv2d_lanes: a pixel that is not finite reaches its own results and no others", T, float,
                   double) {
  for (const T bad : {std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()}) {
    for (const Conv2dDims& d : {Conv2dDims{2, 2, 5, 6, 3, 3, 3, 1, 1}, {1, 1, 4, 5, 6, 5, 5, 3, 3}}) {
      for (int64_t pixel = 0; pixel < d.n * d.c * d.h * d.w; pixel += 3) {
        Case<T> t(d);
        t.x[pixel] = bad;
        std::vector<bool> in_y(static_cast<size_t>(t.dy.size)), in_dw(static_cast<size_t>(t.w.size));
        each_product(d, [&](int64_t ix, int64_t iw, int64_t iy) {
          if (ix == pixel) in_y[static_cast<size_t>(iy)] = in_dw[static_cast<size_t>(iw)] = true;
        });
        for (const cbnet::Isa isa : cbnet::available_isas()) {
          const IsaTable<T>& k = cbnet::kernels::isa_table<T>(isa);
          const Array<T> y = t.forward(k), dw = t.backward(k).dw;
          bool agrees = true;
          for (int64_t i = 0; i < y.size; ++i)
            agrees = agrees && std::isfinite(y[i]) != in_y[static_cast<size_t>(i)];
          for (int64_t i = 0; i < dw.size; ++i)
            agrees = agrees && std::isfinite(dw[i]) != in_dw[static_cast<size_t>(i)];
          CHECK_MESSAGE(agrees, cbnet::to_string(isa) << " " << name_of(d) << " pixel " << pixel);
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("conv2d_lanes: a weight that is not finite meets pixels, not padding", T, float, double) {
  Case<T> t({1, 1, 3, 3, 1, 3, 3, 1, 1});
  t.w[0] = std::numeric_limits<T>::infinity();  // tap (0, 0): over padding in the first row and column
  for (const cbnet::Isa isa : cbnet::available_isas()) {
    const Array<T> y = t.forward(cbnet::kernels::isa_table<T>(isa));
    for (int64_t i = 0; i < y.size; ++i) CHECK(std::isinf(y[i]) == (i / 3 > 0 && i % 3 > 0));
  }
}

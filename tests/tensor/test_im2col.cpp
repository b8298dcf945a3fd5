#include "tensor/cpu/kernels/im2col.h"

#include <doctest/doctest.h>

#include <numeric>
#include <vector>

using namespace cbnet::kernels;

TEST_CASE("a 2x2 kernel on a 3x3 image, written out") {
  const cbnet::Conv2dSizes dims{1, 1, 3, 3, 1, 2, 2, 2, 2, {1, 1, 0, 0, 1, 1}};
  std::vector<float> image(9);
  std::iota(image.begin(), image.end(), 1.0F);
  std::vector<float> columns(16);
  im2col(image.data(), dims, columns.data());
  CHECK(columns == std::vector<float>{1, 2, 4, 5, 2, 3, 5, 6, 4, 5, 7, 8, 5, 6, 8, 9});
}

TEST_CASE("padding reads zeros, stride and dilation skip") {
  const cbnet::Conv2dSizes dims{1, 1, 2, 3, 1, 1, 2, 2, 2, {2, 2, 1, 1, 1, 2}};
  const std::vector<double> image = {1, 2, 3, 4, 5, 6};
  std::vector<double> columns(8);
  im2col(image.data(), dims, columns.data());
  // Rows -1 and 1; columns -1, 1 under tap 0 and 1, 3 under tap 1.
  CHECK(columns == std::vector<double>{0, 0, 0, 5, 0, 0, 5, 0});
}

TEST_CASE("col2im is the adjoint: <im2col(x), y> = <x, col2im(y)>") {
  const cbnet::Conv2dSizes dims{1, 2, 5, 4, 1, 3, 2, 3, 4, {2, 1, 1, 1, 1, 2}};
  std::vector<double> x(40);
  std::vector<double> y(static_cast<std::size_t>(2 * 3 * 2 * 3 * 4));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>((i * 7) % 11) - 5;
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<double>((i * 5) % 13) - 6;
  std::vector<double> columns(y.size());
  std::vector<double> back(x.size(), 0.0);
  im2col(x.data(), dims, columns.data());
  col2im(y.data(), dims, back.data());
  CHECK(std::inner_product(columns.begin(), columns.end(), y.begin(), 0.0) ==
        std::inner_product(x.begin(), x.end(), back.begin(), 0.0));
}

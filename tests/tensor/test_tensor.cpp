#include "tensor/tensor.h"

#include <cmath>
#include <limits>

#include "tests/support/throws.h"

using namespace cbnet;

namespace {
Tensor counting(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return Tensor::from(values, shape);
}
using Values = std::vector<float>;
}  // namespace

TEST_CASE("wrong use throws, with the shapes in the text") {
  const Tensor t = counting({2, 3});
  CHECK_THROWS_SAYING(Tensor::from<float>({1, 2, 3}, {2, 2}), std::invalid_argument, "got 3 and (2,2)");
  CHECK_THROWS_SAYING(t.data<double>(), std::invalid_argument, "expected f64; got f32 (2,3)");
  CHECK_THROWS_SAYING(Tensor().data<float>(), std::invalid_argument, "undefined tensor");
  CHECK_THROWS_SAYING(t.view({4}), std::invalid_argument, "[view] number of elements must not change");
  CHECK_THROWS_SAYING(t.reshape({-1, -1}), std::invalid_argument, "at most one size may be -1");
  CHECK_THROWS_SAYING(t.transpose(0, 1).view({6}), std::invalid_argument, "hint: use reshape");
  CHECK_THROWS_SAYING(t.permute({0, 0}), std::invalid_argument, "named twice");
  CHECK_THROWS_SAYING(t.slice(1, 2, 1), std::invalid_argument, "[slice]");
  CHECK_THROWS_SAYING(t.slice(1, 0, 4), std::invalid_argument, "[slice]");
  CHECK_THROWS_SAYING(t.select(0, 2), std::invalid_argument, "[0, 2); got 2");
  CHECK_THROWS_SAYING(t.expand({2, 4}), std::invalid_argument, "[expand]");
  CHECK_THROWS_SAYING(t.squeeze(0), std::invalid_argument, "must have size 1");
  CHECK_THROWS_SAYING(t.item(), std::invalid_argument, "expected one element");
  CHECK_THROWS_SAYING(t.at({2, 0}), std::invalid_argument, "outside axis 0");
  CHECK_THROWS_SAYING(Tensor::empty({INT64_MAX / 4, 3}), std::invalid_argument, "too many elements");
  CHECK_THROWS_SAYING(Tensor::empty({(std::int64_t{1} << 62) - 1}), std::invalid_argument,
                      "too many elements");
  CHECK_THROWS_SAYING(t.reshape({-1, std::int64_t{1} << 40, std::int64_t{1} << 40}), std::invalid_argument,
                      "too many elements");
  Tensor copy = t.clone();
  CHECK_THROWS_SAYING(copy.add_scaled(counting({3, 2})), std::invalid_argument,
                      "shapes and dtypes must match");
}

TEST_CASE("views share storage, copies do not") {
  Tensor t = counting({2, 3, 4});
  for (const Tensor& view :
       {t.view({6, 4}), t.permute({2, 0, 1}), t.transpose(0, 2), t.slice(1, 1, 3), t.select(2, 1),
        t.unsqueeze(0), t.select(0, 0).unsqueeze(0).expand({5, 3, 4}), t.reshape({-1})}) {
    CHECK(view.shares_storage(t));
  }
  CHECK_FALSE(t.clone().shares_storage(t));
  CHECK_FALSE(t.transpose(0, 1).reshape({24}).shares_storage(t));
  CHECK_FALSE(t.to(DType::f64).shares_storage(t));
  Tensor row = t.select(0, 1);
  row.fill(-1.0);
  CHECK(t.at({1, 2, 3}) == -1.0);
  CHECK(t.at({0, 2, 3}) == 11.0);
}

TEST_CASE("views show the right elements") {
  const Tensor t = counting({2, 3});
  CHECK(t.transpose(0, 1).to_vector<float>() == Values{0, 3, 1, 4, 2, 5});
  CHECK(t.slice(1, 0, 3, 2).to_vector<float>() == Values{0, 2, 3, 5});
  CHECK(t.slice(1, 1, 1).numel() == 0);
  CHECK(t.slice(1, 1, 3, INT64_MAX).to_vector<float>() == Values{1, 4});
  CHECK(t.select(1, 2).to_vector<float>() == Values{2, 5});
  CHECK(t.select(0, 0).expand({2, 3}).to_vector<float>() == Values{0, 1, 2, 0, 1, 2});
  CHECK(t.transpose(0, 1).reshape({2, 3}).to_vector<float>() == Values{0, 3, 1, 4, 2, 5});
  CHECK(t.reshape({3, -1}).shape() == Shape{3, 2});
  // A view of a strided tensor where the merged axes are contiguous among themselves.
  const Tensor wide = counting({4, 2, 3}).slice(0, 0, 4, 2);
  CHECK(wide.view({2, 6}).to_vector<float>() == Values{0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17});
}

TEST_CASE("contiguity ignores axes of size 1 and holds for empty tensors") {
  CHECK(counting({2, 3}).is_contiguous());
  CHECK_FALSE(counting({2, 3}).transpose(0, 1).is_contiguous());
  CHECK(counting({1, 3}).transpose(0, 1).is_contiguous());
  CHECK(Tensor::zeros({0, 3}).transpose(0, 1).is_contiguous());
  CHECK(Tensor::zeros({}).numel() == 1);
}

TEST_CASE("conversion truncates towards zero and round-trips integers") {
  const Tensor t = Tensor::from<double>({-1.7, 2.9, 255.0}, {3});
  CHECK(t.to(DType::i32).to_vector<std::int32_t>() == std::vector<std::int32_t>{-1, 2, 255});
  CHECK(Tensor::from<std::uint8_t>({0, 255}, {2}).to(DType::f32).to_vector<float>() == Values{0, 255});
  CHECK(t.to(DType::f64).shares_storage(t));
}

TEST_CASE("in-place arithmetic walks strides") {
  Tensor t = counting({2, 3});
  Tensor columns = t.slice(1, 0, 2);
  columns.scale(10.0);
  CHECK(t.to_vector<float>() == Values{0, 10, 2, 30, 40, 5});
  columns.add_scaled(Tensor::ones({2, 2}), -1.0);
  CHECK(t.to_vector<float>() == Values{-1, 9, 2, 29, 39, 5});
  t.copy_from(Tensor::from<float>({7, 8, 9}, {3}));
  CHECK(t.to_vector<float>() == Values{7, 8, 9, 7, 8, 9});
}

TEST_CASE("elements that share memory are not written, a tensor may be copied onto itself") {
  Tensor stretched = Tensor::zeros({3, 1}).expand({3, 4});
  CHECK_THROWS_SAYING(stretched.fill(1), std::invalid_argument, "[fill] cannot write into f32 (3,4)");
  CHECK_THROWS_SAYING(stretched.copy_from(counting({3, 4})), std::invalid_argument, "repeat along axis 1");
  CHECK_THROWS_SAYING(stretched.add_scaled(counting({3, 4})), std::invalid_argument, "[add_scaled]");
  CHECK_THROWS_SAYING(stretched.scale(2), std::invalid_argument, "hint: clone it first");
  Tensor t = counting({2, 3});
  t.copy_from(t);
  CHECK(t.to_vector<float>() == Values{0, 1, 2, 3, 4, 5});
}

TEST_CASE("random tensors repeat by seed") {
  Rng a(4);
  Rng b(4);
  CHECK(Tensor::normal({10}, 0, 1, a).to_vector<float>() == Tensor::normal({10}, 0, 1, b).to_vector<float>());
  const Tensor u = Tensor::uniform({100}, -2, 3, a, DType::f64);
  for (const double v : u.to_vector<double>()) CHECK_UNARY(v >= -2 && v < 3);
}

TEST_CASE("all_finite sees NaN and infinity") {
  Tensor t = Tensor::zeros({3});
  CHECK(all_finite(t));
  t.data<float>()[1] = std::numeric_limits<float>::infinity();
  CHECK_FALSE(all_finite(t));
  CHECK(all_finite(t.slice(0, 0, 3, 2)));
  CHECK(all_finite(Tensor::zeros({2}, DType::i64)));
}

TEST_CASE("a tensor that was moved from is undefined, and every member says so") {
  Tensor from = counting({2, 3});
  Tensor to = std::move(from);
  CHECK(to.to_vector<float>() == Values{0, 1, 2, 3, 4, 5});
  to = std::move(to);  // NOLINT(clang-diagnostic-self-move): it must survive
  CHECK(to.shape() == Shape{2, 3});
  Tensor assigned;
  assigned = std::move(to);
  CHECK_FALSE(from.defined());
  CHECK_FALSE(to.defined());
  CHECK_FALSE(to.shares_storage(assigned));
  CHECK(describe(to) == "undefined");
  Tensor t;
  const auto refused = [&](auto&& use) {
    for (Tensor* undefined : {&from, &to, &t}) {
      CHECK_THROWS_SAYING(use(*undefined), std::invalid_argument,
                          "undefined tensor (default-constructed or moved from)");
    }
  };
  refused([](Tensor& x) { return x.shape(); });
  refused([](Tensor& x) { return x.strides(); });
  refused([](Tensor& x) { return x.rank(); });
  refused([](Tensor& x) { return x.size(0); });
  refused([](Tensor& x) { return x.numel(); });
  refused([](Tensor& x) { return x.dtype(); });
  refused([](Tensor& x) { return x.version(); });
  refused([](Tensor& x) { return x.is_contiguous(); });
  refused([](Tensor& x) { return x.data<float>(); });
  refused([](Tensor& x) { return std::as_const(x).data<float>(); });
  refused([](Tensor& x) { return x.item(); });
  refused([](Tensor& x) { return x.at({}); });
  refused([](Tensor& x) { return x.to_vector<float>(); });
  refused([](Tensor& x) { return x.view({0}); });
  refused([](Tensor& x) { return x.reshape({0}); });
  refused([](Tensor& x) { return x.permute({}); });
  refused([](Tensor& x) { return x.transpose(0, 0); });
  refused([](Tensor& x) { return x.slice(0, 0, 0); });
  refused([](Tensor& x) { return x.select(0, 0); });
  refused([](Tensor& x) { return x.expand({}); });
  refused([](Tensor& x) { return x.unsqueeze(0); });
  refused([](Tensor& x) { return x.squeeze(0); });
  refused([](Tensor& x) { return x.contiguous(); });
  refused([](Tensor& x) { return x.clone(); });
  refused([](Tensor& x) { return x.to(DType::f32); });
  refused([](Tensor& x) { return x.to(DType::f64); });
  refused([](Tensor& x) { x.fill(0); });
  refused([](Tensor& x) { x.scale(1); });
  refused([](Tensor& x) { x.copy_from(Tensor::zeros({1})); });
  refused([](Tensor& x) { Tensor::zeros({1}).copy_from(x); });
  refused([](Tensor& x) { x.add_scaled(Tensor::zeros({1})); });
  refused([](Tensor& x) { Tensor::zeros({1}).add_scaled(x); });
  refused([](Tensor& x) { return all_finite(x); });
  from = assigned;
  CHECK(from.shares_storage(assigned));
}

TEST_CASE("the version moves with every write through any view, and with no reading") {
  Tensor t = counting({2, 3});
  const Tensor row = t.select(0, 1);
  std::uint64_t version = row.version();
  const auto moved = [&](bool expected) {
    CHECK((row.version() != version) == expected);
    version = row.version();
  };
  const Tensor& read = t;
  static_cast<void>(read.data<float>());
  static_cast<void>(t.to_vector<float>());
  static_cast<void>(t.at({0, 0}));
  static_cast<void>(t.clone());
  static_cast<void>(t.transpose(0, 1).contiguous());
  static_cast<void>(t.to(DType::f64));
  t.copy_from(t);
  moved(false);
  t.fill(1);
  moved(true);
  t.slice(1, 0, 2).scale(2);
  moved(true);
  t.add_scaled(counting({2, 3}));
  moved(true);
  t.copy_from(counting({2, 3}));
  moved(true);
  t.transpose(0, 1).copy_from(Tensor::ones({3, 2}, DType::f64));
  moved(true);
  t.data<float>()[0] = 1;
  moved(true);
}

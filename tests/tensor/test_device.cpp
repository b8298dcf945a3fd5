#include "tensor/device.h"

#include "tensor/cuda/backend.h"
#include "tensor/tensor.h"
#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("the CPU and the reference are always there, another name is refused") {
  CHECK(parse_device("cpu") == Device::cpu);
  CHECK(parse_device("reference") == Device::reference);
  CHECK_THROWS_SAYING(parse_device("gpu"), std::invalid_argument,
                      "[device] expected cpu, reference or cuda; got 'gpu'");
}

TEST_CASE("without a usable GPU, cuda throws and says what to do; it never falls back") {
  if (!cuda::device_descriptions().empty()) return;
  CHECK_THROWS_SAYING(parse_device("cuda"), std::invalid_argument, "hint:");
  CHECK_THROWS_SAYING(Tensor::zeros({2}, DType::f32, Device::cuda), std::invalid_argument, "hint:");
  CHECK_THROWS_SAYING(Tensor::zeros({2}).to(Device::cuda), std::invalid_argument, "hint:");
  CHECK_FALSE(cuda::module_description().empty());
}

TEST_CASE("tensors are made on the default device, and views stay where they are") {
  CHECK(Tensor::zeros({2, 3}).device() == Device::cpu);
  set_default_device(Device::reference);
  const Tensor t = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  set_default_device(Device::cpu);
  CHECK(t.device() == Device::reference);
  CHECK(t.transpose(0, 1).slice(0, 1, 3).device() == Device::reference);
  CHECK(t.clone().device() == Device::reference);
  CHECK(t.to(DType::f64).device() == Device::reference);
  CHECK(Tensor::empty({4}, t).device() == Device::reference);
}

TEST_CASE("to(device) copies, and only to another one") {
  const Tensor t = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(t.to(Device::cpu).shares_storage(t));
  const Tensor moved = t.transpose(0, 1).to(Device::reference);
  CHECK(moved.device() == Device::reference);
  CHECK_FALSE(moved.shares_storage(t));
  CHECK(moved.to_vector<float>() == std::vector<float>{1, 4, 2, 5, 3, 6});
}

TEST_CASE("tensors of two devices are not mixed") {
  Tensor here = Tensor::zeros({2});
  const Tensor there = Tensor::ones({2}, DType::f32, Device::reference);
  CHECK_THROWS_SAYING(here.copy_from(there), std::invalid_argument,
                      "[copy_from] all tensors must be on one device");
  CHECK_THROWS_SAYING(here.add_scaled(there), std::invalid_argument,
                      "f32 (2) on cpu and f32 (2) on reference");
}

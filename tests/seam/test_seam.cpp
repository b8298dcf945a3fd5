// The one device seam, tried with a device whose memory the host cannot read: an op that touched an element
// itself would end this program.
#include <set>

#include "autograd/ops/avg_pool2d.h"
#include "autograd/ops/batch_norm.h"
#include "autograd/ops/bce_with_logits.h"
#include "autograd/ops/concat.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/l1_penalty.h"
#include "autograd/ops/log_softmax.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/max.h"
#include "autograd/ops/max_pool2d.h"
#include "autograd/ops/mean.h"
#include "autograd/ops/mse_loss.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/softmax_entropy.h"
#include "autograd/ops/transpose.h"
#include "layers/activation.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/pool.h"
#include "optim/adam.h"
#include "optim/sgd.h"
#include "tests/seam/emulated_cuda.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {

Tensor far(const Tensor& tensor) { return tensor.to(Device::cuda); }

Tensor random(const Shape& shape, std::uint64_t seed) {
  Rng rng(seed);
  return Tensor::normal(shape, 0.0, 1.0, rng);
}

std::shared_ptr<Sequential> network(Rng& weights, Rng& dropout) {
  auto net = std::make_shared<Sequential>();
  net->append(std::make_shared<Conv2d>(2, 4, 3, weights));
  net->append(std::make_shared<BatchNorm>(4));
  net->append(std::make_shared<Relu>());
  net->append(std::make_shared<MaxPool2d>(Pool2dOptions::square(2, 2)));
  net->append(std::make_shared<Flatten>());
  net->append(std::make_shared<Dropout>(0.25, dropout));
  net->append(std::make_shared<Linear>(4 * 3 * 3, 5, weights));
  return net;
}

/// The state after three steps of training.
template <class Optim>
std::vector<std::vector<float>> trained(Device device) {
  Rng weights(1), dropout(2);
  const auto net = network(weights, dropout);
  net->to(device);
  Optim optimizer(net->parameters());
  for (std::uint64_t step = 0; step < 3; ++step) {
    const Variable x(random({6, 2, 8, 8}, step).to(device));
    const Tensor labels = Tensor::from<std::int64_t>({0, 1, 2, 3, 4, 0}, {6});
    optimizer.zero_grad();
    cross_entropy(net->forward(x), labels, 0.1).backward();
    optimizer.step();
  }
  std::vector<std::vector<float>> out;
  const auto add = [&](const Tensor& tensor) { out.push_back(tensor.to(Device::cpu).to_vector<float>()); };
  for (const auto& [name, tensor] : net->state_dict()) add(tensor);
  for (const auto& [name, tensor] : optimizer.state()) add(tensor);
  return out;
}

}  // namespace

TEST_CASE("the host's access to the device's memory throws and names the device") {
  const Tensor t = far(random({2, 3}, 1));
  CHECK(t.device() == Device::cuda);
  CHECK_THROWS_SAYING(t.data<float>(), std::invalid_argument,
                      "the host cannot read the memory of the device cuda");
  CHECK_THROWS_SAYING(std::as_const(t).data<float>(), std::invalid_argument,
                      "hint: to(Device::cpu) copies it");
}

TEST_CASE("copies of elements come from the device") {
  const Tensor there = far(random({2, 3}, 1)), here = random({2, 3}, 1);
  CHECK(there.at({1, 2}) == here.at({1, 2}));
  CHECK(there.slice(0, 1, 2).select(1, 0).item() == here.at({1, 0}));
  CHECK(there.transpose(0, 1).to_vector<float>() == here.transpose(0, 1).to_vector<float>());
  CHECK(there.transpose(0, 1).to_vector<double>() == here.transpose(0, 1).to_vector<double>());
}

TEST_CASE("an op of two devices throws, and names the op and the devices") {
  const Variable here(random({2, 3}, 1)), there(far(random({2, 3}, 1)));
  CHECK_THROWS_SAYING(add(here, there), std::invalid_argument,
                      "[add] all tensors must be on one device; got f32 (2,3) on cpu and f32 (2,3) on cuda");
  Variable y = square(Variable(far(random({}, 1)), true));
  CHECK_THROWS_SAYING(y.backward(Tensor::ones({})), std::invalid_argument,
                      "[backward] all tensors must be on one");
}

TEST_CASE("what the device does not compute throws by name") {
  const Variable a(far(random({2, 2}, 1).to(DType::f64)));
  CHECK_THROWS_SAYING(matmul(a, a), std::invalid_argument,
                      "[gemm] the device cuda does not compute this for f64");
}

TEST_CASE("training there gives the CPU's bits") {
  CHECK(trained<Adam>(Device::cuda) == trained<Adam>(Device::cpu));
  CHECK(trained<Sgd>(Device::cuda) == trained<Sgd>(Device::cpu));
}

TEST_CASE("no function of a backend is left untried, and no op reads an element itself") {
  trained<Adam>(Device::cuda);
  trained<Sgd>(Device::cuda);
  Tensor there = far(random({2, 3}, 1)), here = random({2, 3}, 1);
  there.add_scaled(far(random({2, 3}, 2)), 0.5);
  here.add_scaled(random({2, 3}, 2), 0.5);
  CHECK(there.to_vector<float>() == here.to_vector<float>());
  const auto run = [](Device device) {
    const Variable x(random({4, 6}, 1).to(device), true), z(random({4, 6}, 2).to(device), true);
    const Variable image(random({1, 2, 4, 4}, 3).to(device), true);
    const Tensor index = Tensor::from<std::int64_t>({2, 0, 2}, {3});
    Variable sum = mean(log_softmax(index_select(x, 0, index), 1));
    for (const Variable& part :
         {mean(max(x, 1)), mean(softmax_entropy(x)), mse_loss(x, z), bce_with_logits(x, z),
          l1_penalty(x, 0.5), mean(avg_pool2d(image, Pool2dOptions::square(2, 2))),
          mean(x / (square(z) + exp(z))), mean(concat({transpose(x, 0, 1), transpose(z, 0, 1)}, 0)),
          mean(sigmoid(transpose(x, 0, 1)))}) {
      sum = sum + part;
    }
    sum.backward();
    CHECK(all_finite(x.grad()));
    Tensor moved = Tensor::empty(image.shape(), image.value());
    const Tensor streams = Tensor::from<std::int64_t>({5}, {1}).to(device);
    backend_of(device).augment({.dtype = DType::f32,
                                .n = 1,
                                .channels = 2,
                                .h = 4,
                                .w = 4,
                                .shift = 1,
                                .rotation = 20,
                                .streams = static_cast<const std::int64_t*>(streams.address()),
                                .x = image.value().address(),
                                .y = moved.address()});
    std::vector<float> out;
    for (const Tensor& t : {sum.value(), x.grad(), z.grad(), image.grad(), moved}) {
      for (const float value : t.to(Device::cpu).to_vector<float>()) out.push_back(value);
    }
    return out;
  };
  CHECK(run(Device::cuda) == run(Device::cpu));
  std::set<BackendFunction> called;
  for (const BackendFunction function : seam::take_calls()) called.insert(function);
  Rng rng(1);
  CHECK_FALSE(seam::take_calls().size() > 0);
  static_cast<void>(Tensor::uniform({3}, 0, 1, rng, DType::f32, Device::cuda));
  CHECK(seam::take_calls() == std::vector<BackendFunction>{BackendFunction::random});
#define BACKEND_FUNCTION(name, Call) CHECK_MESSAGE(called.count(BackendFunction::name) == 1, #name);
#include "tensor/backend.def"
}

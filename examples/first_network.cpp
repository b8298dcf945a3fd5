// Learns whether a point lies inside a circle.
#include <cstdio>

#include "autograd/ops/cross_entropy.h"
#include "layers/activation.h"
#include "layers/linear.h"
#include "optim/adam.h"

int main() {
  using namespace cbnet;
  Rng rng(1);
  Tensor points = Tensor::uniform({512, 2}, -1.0, 1.0, rng);
  Tensor inside = Tensor::zeros({512}, DType::i64);
  for (std::int64_t i = 0; i < 512; ++i) {
    const double x = points.at({i, 0}), y = points.at({i, 1});
    inside.data<std::int64_t>()[i] = x * x + y * y < 0.5 ? 1 : 0;
  }
  Sequential network({std::make_shared<Linear>(2, 32, rng),
                      std::make_shared<Activation>(ActivationKind::relu),
                      std::make_shared<Linear>(32, 2, rng)});
  Adam adam(network.parameters(), {.learning_rate = 0.02});
  for (int step = 0; step <= 200; ++step) {
    Variable loss = cross_entropy(network(Variable(points)), inside);
    if (step % 50 == 0) std::printf("step %3d  loss %.4f\n", step, loss.value().item());
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
  return cross_entropy(network(Variable(points)), inside).value().item() < 0.1 ? 0 : 1;
}

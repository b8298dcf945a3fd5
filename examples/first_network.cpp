// Learns whether a point lies inside a circle.
#include <cstdio>

#include "cbnet.h"

int main() {
  using namespace cbnet;
  Tensor points = Tensor::uniform({512, 2}, -1.0, 1.0);
  Tensor inside = Tensor::zeros({512}, DType::i64);
  for (std::int64_t i = 0; i < 512; ++i) {
    const double x = points.at({i, 0}), y = points.at({i, 1});
    inside.data<std::int64_t>()[i] = x * x + y * y < 0.5 ? 1 : 0;
  }
  Sequential network = sequential(Linear(2, 32), Relu(), Linear(32, 2));
  Adam adam(network.parameters(), {.learning_rate = 0.02});
  for (int step = 0; step <= 200; ++step) {
    Variable loss = cross_entropy(network(points), inside);
    if (step % 50 == 0) std::printf("step %3d  loss %.4f\n", step, loss.item());
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
  return cross_entropy(network(points), inside).item() < 0.1 ? 0 : 1;
}

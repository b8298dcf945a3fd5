// A server that loads a model, answers once and then forks: its children answer, too, and can train.
#include <atomic>
#include <thread>

#include "autograd/ops/cross_entropy.h"
#include "models/compile.h"
#include "models/zoo.h"
#include "optim/adam.h"
#include "runtime/plan.h"
#include "tensor/parallel.h"
#include "tests/support/child.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;

// Its library does not go on after a fork of a process with threads.
#if !defined(__SANITIZE_THREAD__)

TEST_CASE("the child of a process that has predicted and trained with two threads does both") {
  const int before = num_threads();
  set_num_threads(2);
  Network network(lenet_spec());
  network.eval();
  const runtime::Plan plan(classifier_graph(network, {}));
  runtime::Workspace workspace(plan);
  const std::vector<std::uint8_t> pixels(600 * 28 * 28, 40);
  const Tensor images = Tensor::full({64, 1, 28, 28}, 0.2);
  const Tensor labels = Tensor::zeros({64}, DType::i64);
  Adam adam(network.parameters(), {});
  const auto work = [&] {
    const std::int64_t label = plan.run(pixels.data(), 600, workspace).labels[599];
    Variable loss = cross_entropy(network(Variable(images)), labels);
    adam.zero_grad();
    loss.backward();
    adam.step();
    return label >= 0;
  };
  REQUIRE(work());
  // Another thread takes and gives memory, so that some forks happen while it holds the lock of the blocks.
  std::atomic<bool> stop{false};
  std::thread other([&stop] {
    while (!stop) static_cast<void>(Tensor::zeros({64}));
  });
  for (int fork = 0; fork < 20; ++fork) CHECK(outcome_in_child(work) == "");
  stop = true;
  other.join();
  CHECK(work());
  set_num_threads(before);
}

#endif

// Every allocation of a training step fails in turn. What threw has changed nothing that the next step reads,
// which then gives the bits of a training that never ran out of memory.
#include <cstdint>
#include <vector>

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/pointwise.h"
#include "layers/activation.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/pool.h"
#include "optim/adam.h"
#include "optim/sgd.h"
#include "tensor/parallel.h"
#include "tests/support/failing_allocations.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

using Bits = std::vector<std::vector<float>>;

struct Model {
  Model() {
    Rng rng(1);
    net = std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{
        std::make_shared<Conv2d>(1, 3, 3, rng), std::make_shared<Relu>(),
        std::make_shared<MaxPool2d>(Pool2dOptions{2, 2, 2, 2}), std::make_shared<Flatten>(),
        std::make_shared<Linear>(27, 5, rng), std::make_shared<Tanh>(), std::make_shared<Linear>(5, 4, rng)});
    Rng data(2);
    x = Tensor::uniform({6, 1, 8, 8}, -1, 1, data);
    labels = Tensor::from<std::int64_t>({0, 1, 2, 3, 0, 1}, {6});
  }

  Variable loss() { return cross_entropy((*net)(Variable(x)), labels); }

  Bits weights() const {
    Bits out;
    for (const auto& [name, tensor] : net->state_dict()) out.push_back(tensor.to_vector<float>());
    return out;
  }
  Bits gradients() const {
    Bits out;
    for (const Variable& parameter : net->parameters()) {
      out.push_back(parameter.grad().defined() ? parameter.grad().to_vector<float>() : std::vector<float>());
    }
    return out;
  }

  std::shared_ptr<Sequential> net;
  Tensor x, labels;
};

Bits state_of(const Optimizer& optimizer) {
  Bits out;
  for (const auto& [name, tensor] : optimizer.state()) out.push_back(tensor.to_vector<float>());
  return out;
}

/// With memory that is short once, and with memory that stays short; in one thread, and in two.
template <class F>
void in_every_shortage(F&& check) {
  const int before = num_threads();
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    for (const Shortage shortage : {Shortage::one, Shortage::lasting}) check(shortage);
  }
  set_num_threads(before);
}

}  // namespace

TEST_CASE("an allocation that is to fail fails") {
  for (const Shortage shortage : {Shortage::one, Shortage::lasting}) {
    bool failed[4] = {};
    {
      const FailAllocations scope(1, shortage);
      for (bool& one : failed) {
        try {
          const Tensor wanted = Tensor::empty({10});  // a Storage, its elements and two vectors
        } catch (const std::bad_alloc&) {
          one = true;
        }
      }
    }
    CHECK_FALSE(failed[3] != (shortage == Shortage::lasting));
  }
}

TEST_CASE("tensors: an assignment that fails leaves what was there") {
  const Tensor other = Tensor::full({2, 3, 4}, 7.0).permute({2, 0, 1});
  Tensor target;
  const std::int64_t thrown = fail_each_allocation(
      Shortage::lasting,
      [&] {
        target = Tensor::from<float>({1, 2}, {2});
      },
      [&] { target = other; },
      [&] {
        CHECK(target.to_vector<float>() == std::vector<float>{1, 2});
      });
  CHECK(thrown >= 2);
  CHECK(target.shares_storage(other));
  CHECK(target.shape() == other.shape());
}

TEST_CASE("forward and backward: what failed left no gradient behind, and the next gives the same bits") {
  in_every_shortage([](Shortage shortage) {
    Model model;
    model.loss().backward();
    const Bits expected = model.gradients();
    const Bits none(expected.size());
    std::int64_t thrown = fail_each_allocation(
        shortage,
        [&] {
          release_cached_storage();
          for (Variable& parameter : model.net->parameters()) parameter.zero_grad();
        },
        [&] { model.loss().backward(); },
        [&] {
          CHECK(model.gradients() == none);
          model.loss().backward();
          CHECK(model.gradients() == expected);
        });
    CHECK(thrown > 100);
    // Onto gradients that are there already.
    for (Variable& parameter : model.net->parameters()) parameter.zero_grad();
    model.loss().backward();
    Variable loss;
    const auto fresh = [&] {
      release_cached_storage();
      loss = model.loss();
      for (Variable& parameter : model.net->parameters()) parameter.zero_grad();
      model.loss().backward();
    };
    thrown = fail_each_allocation(
        shortage, fresh, [&] { loss.backward(); }, [&] { CHECK(model.gradients() == expected); });
    CHECK(thrown > 50);
  });
}

TEST_CASE("backward: a graph of any length is let go without memory") {
  Variable x(Tensor::full({1}, 1.0), true);
  Variable y = x;
  for (int i = 0; i < 20'000; ++i) y = i % 2 == 0 ? y + x : scale(y + y, 0.5);
  {
    const FailAllocations scope(0, Shortage::lasting);
    y = Variable();  // a destructor that threw would end the program
  }
  CHECK_FALSE(y.defined());
}

TEST_CASE("optimizers: a step is taken whole or not at all") {
  in_every_shortage([](Shortage shortage) {
    for (const bool adam : {true, false}) {
      Model model;
      std::unique_ptr<Optimizer> optimizer;
      if (adam) optimizer = std::make_unique<Adam>(model.net->parameters(), AdamOptions{.weight_decay = 0.1});
      if (!adam) optimizer = std::make_unique<Sgd>(model.net->parameters(), SgdOptions{.momentum = 0.9});
      model.loss().backward();
      // The last gradient has to be copied, behind all the others.
      Variable last = model.net->parameters().back();
      last.mutable_grad() = Tensor::full({2 * last.size(0)}, 0.5).slice(0, 0, 2 * last.size(0), 2);
      Bits weights, state;
      const std::int64_t thrown = fail_each_allocation(
          shortage,
          [&] {
            release_cached_storage();
            weights = model.weights();
            state = state_of(*optimizer);
          },
          [&] { optimizer->step(); },
          [&] {
            CHECK(model.weights() == weights);
            CHECK(state_of(*optimizer) == state);
          });
      CHECK(thrown > 0);
      CHECK(model.weights() != weights);
    }
  });
}

TEST_CASE("load_state_dict and load_state: all entries are taken or none") {
  in_every_shortage([](Shortage shortage) {
    Model source, target;
    StateDict state = source.net->state_dict();
    for (auto& [name, tensor] : state) {
      Tensor moved = tensor.clone();
      moved.scale(2.0);
      tensor = moved.to(DType::f64);  // has to be converted
    }
    StateDict first;
    for (const auto& [name, tensor] : target.net->state_dict()) first.emplace_back(name, tensor.clone());
    const Bits before = target.weights();
    std::int64_t thrown = fail_each_allocation(
        shortage,
        [&] {
          target.net->load_state_dict(first);
          release_cached_storage();
        },
        [&] { target.net->load_state_dict(state); }, [&] { CHECK(target.weights() == before); });
    CHECK(thrown > 20);
    CHECK(target.weights() != before);

    Adam from(source.net->parameters()), to(target.net->parameters());
    const auto start = Adam(target.net->parameters()).state();
    const Bits zeros = state_of(to);
    source.loss().backward();
    from.step();
    const auto moments = from.state();
    thrown = fail_each_allocation(
        shortage,
        [&] {
          to.load_state(start);
          release_cached_storage();
        },
        [&] { to.load_state(moments); }, [&] { CHECK(state_of(to) == zeros); });
    CHECK(thrown > 5);
    CHECK(state_of(to) == state_of(from));
  });
}

TEST_CASE("batch_norm: the running statistics move together, when nothing can fail any more") {
  BatchNorm layer(3);
  Rng rng(3);
  const Variable x(Tensor::uniform({4, 3}, -1, 1, rng));
  layer(x);
  const std::vector<float> mean = layer.running_mean.to_vector<float>();
  const std::vector<float> var = layer.running_var.to_vector<float>();
  const std::int64_t thrown = fail_each_allocation(
      Shortage::lasting,
      [&] {
        release_cached_storage();
        layer.running_mean.copy_from(Tensor::from(mean, {3}));
        layer.running_var.copy_from(Tensor::from(var, {3}));
      },
      [&] { layer(x); },
      [&] {
        CHECK((layer.running_mean.to_vector<float>() == mean) ==
              (layer.running_var.to_vector<float>() == var));
      });
  CHECK(thrown > 20);
}

TEST_CASE("modules: a child that could not be added is in neither list") {
  Rng rng(1);
  Sequential net;
  std::shared_ptr<Module> child;
  const std::int64_t thrown = fail_each_allocation(
      Shortage::lasting, [&] { child = std::make_shared<Linear>(2, 2, rng); }, [&] { net.append(child); },
      [&] { CHECK(net.parameters().size() == 2 * net.size()); });
  CHECK(thrown >= 2);
  CHECK(net.size() == 1);
  CHECK(net.parameters().size() == 2);
}

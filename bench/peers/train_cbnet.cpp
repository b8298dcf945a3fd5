#include <optional>

#include "autograd/ops/cross_entropy.h"
#include "bench/peers/train_engine.h"
#include "cbnet/conversion.h"
#include "data/batches.h"
#include "data/dataset_id.h"
#include "models/network.h"
#include "optim/adam.h"
#include "tensor/parallel.h"

namespace cbnet::bench {
namespace {

Hardness one_image_per_class(const Training& training) {
  Hardness out;
  out.easy.assign(static_cast<std::size_t>(training.images.size(0)), false);
  for (const std::int64_t image : training.targets) {
    out.easy[static_cast<std::size_t>(image)] = true;
    out.pool.push_back({image});
  }
  return out;
}

class CbnetEngine final : public TrainEngine {
 public:
  explicit CbnetEngine(const Training& training)
      : training_(training),
        network_(training.network),
        adam_(network_.parameters(), {}),
        batches_(training.images, training.labels,
                 {.batch_size = training.batch_size, .seed = kOrderSeed, .shuffle = true}) {
    if (training.reconstructs)
      targets_.emplace(training.images, one_image_per_class(training), TargetPolicy::fixed_image,
                       OutputActivation::sigmoid, 0);
    network_.load_state_dict(training.weights);
  }

  double step(std::int64_t i) override {
    const data::Batch batch = batches_.batch(i);
    adam_.zero_grad();
    Variable loss = loss_of(batch);
    const double value = loss.value().item();
    loss.backward();
    adam_.step();
    return value;
  }

  void use_threads(int threads) override { set_num_threads(threads); }

 private:
  Variable loss_of(const data::Batch& batch) {
    const Variable pixels(batch.pixels);
    if (!training_.reconstructs) return cross_entropy(network_.forward(pixels), batch.labels);
    const Tensor rows = targets_->rows(batch.labels, batch.indices, 0);
    return conversion_loss(network_, pixels, rows, training_.recipe, targets_->rescale());
  }

  const Training& training_;
  Network network_;
  Adam adam_;
  data::Batches batches_;
  std::optional<ConversionTargets> targets_;  // of an autoencoder
};

}  // namespace

std::unique_ptr<TrainEngine> make_cbnet_engine(const Training& training) {
  return std::make_unique<CbnetEngine>(training);
}

}  // namespace cbnet::bench

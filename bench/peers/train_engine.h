#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cbnet/recipe.h"
#include "layers/module.h"
#include "models/spec.h"

// Each engine is given one training so.

namespace cbnet::bench {

struct Training {
  std::string model;
  NetworkSpec network;
  StateDict weights;
  Tensor images, labels;  // u8 (N,C,H,W), u8 (N)
  std::int64_t batch_size = 0;
  /// The autoencoder's loss is this recipe's, that of every other network the cross entropy.
  Recipe recipe;
  bool reconstructs = false;
  /// The autoencoder learns to make this image of each class.
  std::vector<std::int64_t> targets;
};

/// An engine throws this for a network with a layer that it has no counterpart for, which it names.
struct MissingLayer : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// This seeds the order in which both engines see the images.
constexpr std::uint64_t kOrderSeed = 1;

class TrainEngine {
 public:
  TrainEngine() = default;
  virtual ~TrainEngine() = default;
  TrainEngine(const TrainEngine&) = delete;
  TrainEngine& operator=(const TrainEngine&) = delete;

  /// Trains on batch `i` of an epoch: gathers its images from u8, forward, loss, backward, Adam. Returns the
  /// loss.
  virtual double step(std::int64_t i) = 0;
  /// Has the engine use so many threads, and the other one's libraries none.
  virtual void use_threads(int threads) = 0;
};

std::unique_ptr<TrainEngine> make_cbnet_engine(const Training& training);
std::unique_ptr<TrainEngine> make_torch_engine(const Training& training);

/// Returns what LibTorch says of its build, for the record.
std::string torch_description();

}  // namespace cbnet::bench

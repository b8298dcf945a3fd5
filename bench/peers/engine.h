#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/peers/model.h"

// This is one inference engine. Each is linked into a worker program of its own, so that thread pools, BLAS
// builds and instruction set flags cannot meet.

namespace cbnet::peers {

class Engine {
 public:
  Engine() = default;
  virtual ~Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Builds what run() needs, for `batch` images a call and so many threads.
  virtual void prepare(const PeerModel& model, std::int64_t batch, int threads) = 0;
  /// Makes of `batch` images `batch` rows of model.width: `out`, or, of an engine that keeps
  /// its outputs, its own memory, good until the next call. Where an image stops at a side exit, the row is
  /// that exit's.
  virtual const float* run(const float* pixels, float* out) = 0;
};

/// This is a way to run an engine.
struct Variant {
  const char* name;
  const char* precision;                                      // "fp32" or "int8"
  const char* setup;                                          // as its documentation calls it, for the report
  bool (*takes)(const PeerModel& model, std::int64_t batch);  // of the paper's sequences
  std::unique_ptr<Engine> (*make)();
  /// It computes a classifier's probabilities, where the others stop at its logits.
  bool probabilities = false;
  /// It says why it cannot run a network that is a graph, and nothing where it can; null: it takes the
  /// paper's sequences of layers alone.
  std::string (*cannot)(const PeerModel& model) = nullptr;
};

/// The worker that this is linked into offers these.
struct EngineInfo {
  std::string name, version;
  std::vector<Variant> variants;
  /// Its BLAS should then be the build of OpenBLAS that takes OpenMP's threads.
  bool openmp_blas = false;
};
EngineInfo engine_info();

}  // namespace cbnet::peers

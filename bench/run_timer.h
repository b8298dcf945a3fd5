#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/checkpoint.h"
#include "tensor/tensor.h"

// What a timer counts of a model, and how many images it is given at a time, decides what comes out as its
// latency. Here are the protocols side by side, each timing the same plans on the same images.

namespace cbnet::bench {

struct TimerProtocol {
  const char* name;
  const char* says;  // what is timed, for people
};

/// Lists them:
///   fair           one image a call, from its pixels to its label, everything inside the timer
///   throughput-32, throughput-1024
///                  the same, that many images a call
///   paper          what its text says (IV-D): one timer around the whole test set, over the images
///   authors        what the co-author's public code times: convolutional networks in batches of 10, of
///                  BranchyNet and of the lightweight classifier the trunk alone (the branch, softmax,
///                  entropy and the choice of images that go on are outside the timer), the autoencoder over
///                  the whole set in batches of 32
///   authors-whole  those batches with everything inside the timer
///   arrival        one image every so often, as a camera sends them: caches are as cold as that leaves them
std::span<const TimerProtocol> timer_protocols();

/// These are the models of one run, as `cbnet train` wrote them; the autoencoder and the classifier make
/// CBNet.
struct TrainedRun {
  std::string folder, dataset;
  Model lenet, branchynet, autoencoder, classifier;
};
/// Throws InputError where one of them is missing, damaged or of another dataset.
TrainedRun load_trained_run(const std::string& folder);

/// This is one model under one protocol: a pass over the images of the test set.
struct TimedSubject {
  std::string model, protocol;
  std::int64_t images = 0;  // of a pass
  /// Runs a pass and returns the seconds that this protocol's timer counts of it.
  std::function<double()> pass;
};

struct TimerOptions {
  std::vector<std::string> protocols;  // names; empty: all
  double arrival_s = 0.033;            // between two images
  std::int64_t arrival_images = 100;
  int rounds = 3;
  double min_block_s = 0.2;  // a block is whole passes until then; arrival has one pass
  std::function<void(const std::string& what, int done, int all)> progress;
};

/// Makes the subjects of a run: "lenet", "branchynet", "autoencoder", "classifier" and "cbnet" under each
/// protocol. `images` u8 (N,C,H,W) must outlive them. Before anything is timed the labels that the parts of
/// `authors` come to are held against those of the whole plans; throws std::runtime_error where they differ,
/// and std::invalid_argument for an unknown protocol.
std::vector<TimedSubject> timed_subjects(const TrainedRun& run, const Tensor& images,
                                         const TimerOptions& options);

/// Is µs an image of one subject: median, lowest and highest over the rounds.
struct ProtocolTime {
  std::string model, protocol;
  std::int64_t images = 0;
  double us = 0.0, low = 0.0, high = 0.0;
};
/// Times the subjects in turns; odd rounds go backwards.
std::vector<ProtocolTime> time_subjects(const std::vector<TimedSubject>& subjects,
                                        const TimerOptions& options);

/// Returns multiply-adds of an image that the plans cannot get round: those of Winograd steps count a
/// quarter, those of linear layers as far as their inputs are not zero in `images`. Rates that are held
/// against the machine's limit are of these.
struct LeastWork {
  std::string model;
  double macs = 0.0;
};
std::vector<LeastWork> least_work(const TrainedRun& run, const Tensor& images);

}  // namespace cbnet::bench

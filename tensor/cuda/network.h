#pragma once

#include <cstdint>
#include <memory>
#include <vector>

// A whole network runs as one kernel: a list of steps that a team of blocks goes through for each image, with
// the weights in its shared memory. runtime/device_plan makes the list of a graph. Nothing here names CUDA's
// types.

namespace cbnet::cuda {

enum class NetStepKind : int {
  conv2d,    // weights (o, c / groups, kh, kw), and where `pool` is 2 the largest of every 2 x 2 outputs
  linear,    // weights (o, c)
  max_pool,  // padding is -inf
  avg_pool,
  affine,  // y = weight[channel] x + bias[channel], channels of h * w
  map,     // the activation alone
  add,     // of two values, then the activation
  mul,
  softmax,  // over c
  copy,     // c numbers, to the output's place in a longer one
  exit,     // the c logits at `input` end the image where their entropy is below `threshold`
};

enum class NetActivation : int { none, relu, leaky_relu, sigmoid, tanh, rescale };

/// Sizes are of one image; offsets are in floats, of the activations or of the weights.
struct NetStep {
  NetStepKind kind = NetStepKind::map;
  NetActivation activation = NetActivation::none;
  float value = 0.0F;  // the slope of leaky_relu, the factor of rescale
  int input = 0, other = 0, output = 0;
  int weight = 0, bias = -1;  // -1: none
  int c = 1, h = 1, w = 1, o = 1, oh = 1, ow = 1;
  int kh = 1, kw = 1, stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1,
      groups = 1;
  int pad_bottom = 0, pad_right = 0;  // what an average counts
  int pool = 1;
  bool count_include_pad = true;
  float threshold = 0.0F;
  int exit = 0;
};

struct NetProgram {
  std::vector<NetStep> steps;
  std::vector<float> weights;
  int pixels = 0;       // of an image; they stand at offset 0
  int activations = 0;  // floats
  bool classifies = true;
  int outputs = 0;  // classes, or pixels; of a network that does not classify at `output`
  int output = 0;
};

/// An image reaches the kernel so.
enum class NetLaunch {
  mailbox,  // a kernel that stays on the device reads it out of the host's pinned memory and answers there
  graph,    // a captured launch for each image
  stream,   // a launch for each image
};
const char* to_string(NetLaunch launch);

/// This is what became of n images. Probabilities are those of the exit that each took.
struct NetAnswers {
  std::vector<std::int32_t> labels, exits;  // empty where the network does not classify; label -1: not finite
  std::vector<float> entropy;               // of the first exit
  std::vector<float> outputs;               // (n, outputs)
};

/// This is a program on the device. Throws std::runtime_error where that is out of memory or does not answer.
class NetEngine {
 public:
  explicit NetEngine(const NetProgram& program);
  ~NetEngine();
  NetEngine(const NetEngine&) = delete;
  NetEngine& operator=(const NetEngine&) = delete;

  /// Takes one image, bytes, by a team of blocks: from the host's memory to the host's memory.
  void run_one(const std::uint8_t* pixels, NetLaunch launch, NetAnswers& out);
  /// Takes n images, a block each at a time: they are copied in, computed, and the answers copied out.
  void run_many(const std::uint8_t* pixels, std::int64_t n, NetAnswers& out);

  /// Returns nanoseconds that the kernel of run_many alone takes for n images on the device, the median of
  /// `repeats`.
  double kernel_ns(std::int64_t n, int repeats);

  /// Says how many blocks the team has, the bytes of shared memory, and the fraction of the weights that
  /// stand there.
  int team() const;
  std::size_t shared_bytes() const;
  double resident_fraction() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cbnet::cuda

#pragma once

#include <cstdint>
#include <limits>

#include "tensor/cuda/network_steps.cuh"

// Two kernels go through a network program: one takes a batch, a block for each image at a time; the
// other, a team of blocks, takes one image after the other out of a mailbox in the host's memory.

namespace cbnet::cuda::net {

constexpr int kThreadsOfBlock = 256;
constexpr unsigned kStop = std::numeric_limits<unsigned>::max();
constexpr int kPixelsOfPacket = 12, kNumbersOfPacket = 3;

/// A block's shared memory holds:  header | steps | weights that stay | activations, or the inputs of one
/// step
struct Header {
  Decision decision;
  LogSum log_sum;
  float first_entropy;
};

struct Layout {
  int steps = 0;
  int resident = 0;  // floats of weights and biases
  int activations =
      0;  // floats: all of an image, where `arena_in_shared`; else room for the inputs of a step
  bool arena_in_shared = false;
  std::size_t bytes() const {
    return sizeof(Header) + static_cast<std::size_t>(steps) * (sizeof(NetStep) + 16) +
           static_cast<std::size_t>(resident + activations) * sizeof(float) + 16;
  }
};

/// Returns where a step's weights stand in shared memory, as floats from its beginning of weights; -1: in the
/// device's.
struct Resident {
  int weight, rows;  // rows of a linear layer's share
};

struct NetArgs {
  const NetStep* steps;
  const Resident* resident;
  const float* weights;
  float* arena;  // of one team behind the other, where it is not in shared memory
  Layout layout;
  int team, pixels, arena_floats, outputs, output;
};

/// These are n images and what becomes of them, in the device's memory.
struct Batch {
  const std::uint8_t* images;
  std::int64_t n;
  std::int32_t *labels, *exits;
  float *entropy, *outputs;
};

//  A question is a row of packets of 16 bytes, each with the question's number, so that a packet that has
//  arrived says so itself, and no flag has to be read before it. The answer comes back alike:
//
//     | 12 pixels, number | 12 pixels, number | …        | label, exit, entropy, number | 3 outputs, number |
//     …
struct Mailbox {
  const uint4* question;
  uint4* answer;
  unsigned* served;  // the number of the last question
  int* stop;
};

class Runner {
 public:
  __device__ Runner(const NetArgs& args, const Member& me) : args_(args), me_(me) {
    auto* bytes = shared_memory<unsigned char>();
    header_ = reinterpret_cast<Header*>(bytes);
    steps_ = reinterpret_cast<NetStep*>(bytes + sizeof(Header));
    resident_ = reinterpret_cast<Resident*>(steps_ + args.layout.steps);
    const auto weights = sizeof(Header) + args.layout.steps * (sizeof(NetStep) + sizeof(Resident));
    weights_ = reinterpret_cast<float*>(bytes + (weights + 15) / 16 * 16);
    activations_ = weights_ + args.layout.resident;
    const std::int64_t team = blockIdx.x / args.team;
    arena_ = args.layout.arena_in_shared ? activations_ : args.arena + team * args.arena_floats;
    load();
  }

  __device__ float* arena() const { return arena_; }
  __device__ Header& header() const { return *header_; }

  /// Goes from the pixels in the arena to the decision in the header; every thread returns the step that it
  /// came of.
  __device__ const NetStep* run() const {
    for (int i = 0; i < args_.layout.steps; ++i) {
      const NetStep& step = steps_[i];
      if (step.kind == NetStepKind::exit) {
        decide(step, me_, arena_ + step.input, header_->decision);
        __syncthreads();
        const bool leaves = header_->decision.leaves != 0 || step.threshold == INFINITY;
        if (me_.thread == 0 && step.exit == 0) header_->first_entropy = header_->decision.entropy;
        __syncthreads();
        if (leaves) return &step;
        continue;
      }
      compute(step, resident_[i]);
      team_barrier(static_cast<unsigned>(args_.team));
    }
    return nullptr;
  }

  /// Returns output i of the image that has just been computed.
  __device__ float output(const NetStep* exit, int i, const LogSum& log_sum) const {
    if (exit == nullptr) return arena_[args_.output + i];
    return std::exp(arena_[exit->input + i] - log_sum.largest - log_sum.log);
  }

 private:
  /// Copies the steps and the weights that stay.
  __device__ void load() const {
    const int count = args_.layout.steps;
    for (int i = me_.thread; i < count; i += me_.threads) {
      steps_[i] = args_.steps[i];
      resident_[i] = args_.resident[i];
    }
    __syncthreads();
    for (int i = 0; i < count; ++i) {
      const NetStep& s = steps_[i];
      if (resident_[i].weight < 0) continue;
      float* to = weights_ + resident_[i].weight;
      const bool shares = s.kind == NetStepKind::linear;
      const int row = s.kind == NetStepKind::affine ? 1 : shares ? s.c : s.c / s.groups * s.kh * s.kw;
      const int rows = shares ? resident_[i].rows : s.kind == NetStepKind::affine ? s.c : s.o;
      const int all = s.kind == NetStepKind::affine ? s.c : s.o;
      const int first = shares ? me_.block * rows : 0, here = all - first < rows ? all - first : rows;
      for (int k = me_.thread; k < here * row; k += me_.threads)
        to[k] = args_.weights[s.weight + first * row + k];
      for (int k = me_.thread; k < here && s.bias >= 0; k += me_.threads)
        to[rows * row + k] = args_.weights[s.bias + first + k];
    }
    __syncthreads();
  }

  __device__ Rows rows_of(const NetStep& s, const Resident& resident) const {
    const bool shares = s.kind == NetStepKind::linear;
    const int count = shares ? (s.o + args_.team - 1) / args_.team : s.o;
    const int first = shares ? (me_.block * count < s.o ? me_.block * count : s.o) : 0;
    const int end = first + count < s.o ? first + count : s.o;
    const int row = s.kind == NetStepKind::affine ? 1 : shares ? s.c : s.c / s.groups * s.kh * s.kw;
    if (resident.weight >= 0) {
      const float* weight = weights_ + resident.weight;
      const int rows = shares ? resident.rows : s.kind == NetStepKind::affine ? s.c : s.o;
      return {weight, s.bias < 0 ? nullptr : weight + rows * row, first, end};
    }
    return {args_.weights + s.weight + first * row, s.bias < 0 ? nullptr : args_.weights + s.bias + first,
            first, end};
  }

  /// Returns the inputs of a step that reads them again and again, in shared memory where there is room.
  __device__ const float* near(const float* x, int count) const {
    if (args_.layout.arena_in_shared || count > args_.layout.activations) return x;
    for (int i = me_.thread; i < count; i += me_.threads) activations_[i] = x[i];
    __syncthreads();
    return activations_;
  }

  __device__ void compute(const NetStep& s, const Resident& resident) const {
    const float* x = arena_ + s.input;
    float* y = arena_ + s.output;
    switch (s.kind) {
      case NetStepKind::conv2d:
        return conv2d(s, me_, rows_of(s, resident), near(x, s.c * s.h * s.w), y);
      case NetStepKind::linear:
        return linear(s, me_, rows_of(s, resident), near(x, s.c), y);
      case NetStepKind::max_pool:
      case NetStepKind::avg_pool:
        return pool(s, me_, near(x, s.c * s.h * s.w), y);
      case NetStepKind::softmax:
        return softmax(s, me_, x, y);
      case NetStepKind::affine:
      case NetStepKind::map:
      case NetStepKind::add:
      case NetStepKind::mul:
      case NetStepKind::copy:
        return pointwise(s, me_, rows_of(s, resident), x, arena_ + s.other, y);
      case NetStepKind::exit:
        break;
    }
  }

  const NetArgs& args_;
  Member me_;
  Header* header_;
  NetStep* steps_;
  Resident* resident_;
  float *weights_, *activations_, *arena_;
};

__device__ float pixel_of(unsigned word, int byte) {
  return static_cast<float>(word >> 8 * byte & 255U) / 255.0F;
}

__device__ void keep_log_sum(const Runner& runner, const NetStep* exit, const Member& me) {
  if (exit != nullptr && me.thread < 32) {
    const LogSum log_sum = log_sum_of(runner.arena() + exit->input, exit->c, me.thread);
    if (me.thread == 0) runner.header().log_sum = log_sum;
  }
  __syncthreads();
}

/// Takes a block for each image at a time.
__global__ void __launch_bounds__(kThreadsOfBlock) batch_kernel(NetArgs args, Batch batch) {
  const Member me{static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x), 0, 1};
  const Runner runner(args, me);
  for (std::int64_t image = blockIdx.x; image < batch.n; image += gridDim.x) {
    const std::uint8_t* pixels = batch.images + image * args.pixels;
    for (int i = me.thread; i < args.pixels; i += me.threads)
      runner.arena()[i] = static_cast<float>(pixels[i]) / 255.0F;
    __syncthreads();
    const NetStep* exit = runner.run();
    keep_log_sum(runner, exit, me);
    for (int i = me.thread; i < args.outputs; i += me.threads)
      batch.outputs[image * args.outputs + i] = runner.output(exit, i, runner.header().log_sum);
    if (me.thread == 0 && exit != nullptr) {
      batch.labels[image] = runner.header().decision.label;
      batch.exits[image] = exit->exit;
      batch.entropy[image] = runner.header().first_entropy;
    }
    __syncthreads();  // the next image overwrites all of this
  }
}

/// Takes a team for one image after the other, out of the mailbox: `serve` of them, or until it is told to
/// stop.
__global__ void __launch_bounds__(kThreadsOfBlock) mailbox_kernel(NetArgs args, Mailbox box, int serve) {
  const Member me{static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x), static_cast<int>(blockIdx.x),
                  args.team};
  const Runner runner(args, me);
  const unsigned before = *box.served;
  const int packets = (args.pixels + kPixelsOfPacket - 1) / kPixelsOfPacket;
  team_barrier(static_cast<unsigned>(args.team));
  for (int i = 0; serve < 0 || i < serve; ++i) {
    const unsigned number = before + static_cast<unsigned>(i) + 1;
    if (me.block == 0) {
      for (int p = me.thread; p < packets; p += me.threads) {
        uint4 packet = __ldcv(box.question + p);
        while (packet.w != number && packet.w != kStop) packet = __ldcv(box.question + p);
        if (packet.w == kStop && p == 0) *box.stop = 1;
        const unsigned words[] = {packet.x, packet.y, packet.z};
#pragma unroll
        for (int k = 0; k < kPixelsOfPacket; ++k) {
          const int pixel = p * kPixelsOfPacket + k;
          if (pixel < args.pixels) runner.arena()[pixel] = pixel_of(words[k / 4], k % 4);
        }
      }
    }
    team_barrier(static_cast<unsigned>(args.team));
    if (*box.stop != 0) return;
    const NetStep* exit = runner.run();
    if (me.block == 0) {
      keep_log_sum(runner, exit, me);
      const Decision& decision = runner.header().decision;
      if (me.thread == 0) {
        box.answer[0] = exit == nullptr ? make_uint4(0, 0, 0, number)
                                        : make_uint4(static_cast<unsigned>(decision.label),
                                                     static_cast<unsigned>(exit->exit),
                                                     __float_as_uint(runner.header().first_entropy), number);
        *box.served = number;
      }
      for (int first = me.thread * kNumbersOfPacket; first < args.outputs;
           first += me.threads * kNumbersOfPacket) {
        unsigned words[kNumbersOfPacket] = {};
        for (int k = 0; k < kNumbersOfPacket && first + k < args.outputs; ++k)
          words[k] = __float_as_uint(runner.output(exit, first + k, runner.header().log_sum));
        box.answer[1 + first / kNumbersOfPacket] = make_uint4(words[0], words[1], words[2], number);
      }
    }
    team_barrier(static_cast<unsigned>(args.team));  // the next image overwrites all of this
  }
}

}  // namespace cbnet::cuda::net

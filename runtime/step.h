#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "runtime/graph.h"
#include "runtime/layout.h"
#include "tensor/cpu/kernels/isa_table.h"

// A plan is a list of steps: each reads and writes buffers of an arena, for some images at a time, and
// allocates nothing.

namespace cbnet::runtime {

/// One buffer of the arena lies here.
struct Slot {
  std::size_t offset = 0;      // bytes
  std::int64_t pitch = 0;      // elements from one image to the next
  std::size_t not_finite = 0;  // of a byte layout: where a byte an image says that a number was not finite
};

/// A step is called with this.
struct Frame {
  std::byte* arena = nullptr;
  const Slot* slots = nullptr;
  std::byte* scratch = nullptr;
  std::int64_t n = 0;      // images
  bool backwards = false;  // weights are walked from the end: some of them are still in the cache
  const std::uint8_t* pixels_u8 = nullptr;  // of the first image; one of the two is null
  const float* pixels_f32 = nullptr;

  template <class T>
  T* at(int buffer, std::int64_t image = 0) const {
    const Slot& slot = slots[buffer];
    return reinterpret_cast<T*>(arena + slot.offset) + image * slot.pitch;
  }
  /// Bytes hold no NaN, so this says of each image of a byte layout whether a number was not finite that
  /// should be there.
  std::uint8_t* not_finite(int buffer) const {
    return reinterpret_cast<std::uint8_t*>(arena + slots[buffer].not_finite);
  }
  std::int64_t pitch(int buffer) const { return slots[buffer].pitch; }
};

/// An operand is a buffer and how values lie in it.
struct Operand {
  int buffer;
  Layout layout;
  bool is_bytes() const { return layout.is_bytes(); }
};

class Step {
 public:
  Step(std::vector<int> from, int to) : reads(std::move(from)), writes(to) {}
  virtual ~Step() = default;
  virtual void run(const Frame& frame) const = 0;
  /// Returns the bytes of Frame::scratch, for so many images.
  virtual std::int64_t scratch_bytes(std::int64_t images) const { return images > 0 ? scratch_fixed_ : 0; }

  std::string name;        // of the layers it stands for
  std::vector<int> reads;  // buffers
  int writes;
  std::int64_t macs = 0;  // of one image, padding zeros included
  std::int64_t weight_bytes = 0;
  bool winograd = false;        // with fewer multiplications than `macs` says
  bool int8 = false;            // works on bytes
  bool shares_weights = false;  // reads them once for all images of a call

 protected:
  std::int64_t scratch_fixed_ = 0;
};
using StepPtr = std::unique_ptr<Step>;

// These functions make steps. What a node reads and makes has the shapes of the graph.

/// Brings the network's input into the layout of buffer `to`.
StepPtr make_input_step(const kernels::KernelTable& table, std::int64_t size, const Operand& to);
/// Tells whether make_layout_step copies a value from one layout to the other.
bool can_copy(const Layout& from, const Layout& to);
/// Copies a value to another layout. Throws std::invalid_argument where can_copy() says no.
StepPtr make_layout_step(const kernels::KernelTable& table, std::int64_t size, const Operand& from,
                         const Operand& to);

/// A convolution takes these with it: the pooling and the ReLU behind it.
struct ConvTail {
  bool pool = false;
  std::int64_t ph = 0, pw = 0;
  bool relu = false;
  bool winograd = false;  // by winograd.h, else fused_conv2d.h
};
/// This is a convolution of an `input` (C,H,W) with its tail.
struct ConvWork {
  const Node& node;
  const Shape& input;
  const ConvTail& tail;
};
/// Tells whether fused_conv2d.h has kernels for this convolution.
bool is_direct(const Node& conv);
/// Tells whether fused_conv2d.h can pool so: 2x2, stride 2, no padding.
bool is_direct_pool(const Node& pool);
/// Tells whether winograd.h can do it with less work, given the one layer that reads it (or null). It reads
/// its input in any f32 layout.
bool is_winograd(const kernels::KernelTable& table, const Node& conv, const Shape& input, const Node* pool);
/// Returns the cost of the faster of the two, in units of a vector's FMA.
double direct_cost(const kernels::KernelTable& table, const Node& conv, const Shape& input, const Node* pool);
/// Returns the padded layout for a direct convolution's input, whose shape is (C,H,W).
Layout conv_layout(const Node& conv, const Shape& input);
StepPtr make_conv_step(const kernels::KernelTable& table, const ConvWork& work, const Operand& from,
                       const Operand& to);

/// What follows a convolution or pool of channels_last values at once comes here: an addend, where it has a
/// second input, then bounds.
struct ChannelsTail {
  float low = -std::numeric_limits<float>::infinity(), high = std::numeric_limits<float>::infinity();
};
/// Returns the layout, without a border, of a value of shape (C,H,W).
Layout channels_layout(const Shape& planes, std::int64_t lanes);
/// Widens the border to what this convolution reads of it.
void add_border(Layout& layout, const Node& conv);
/// Writes the zeros around an image.
void zero_border(const Layout& layout, float* image);
/// Returns the cost in the units of direct_cost, infinite where there is no kernel for its groups.
double channels_cost(const kernels::KernelTable& table, const Node& conv, const Shape& input);
/// Tells whether make_channels_step takes a second input, which is added to the result.
bool takes_addend(const Node& node);
/// Makes a conv2d, max_pool2d or avg_pool2d, all operands in channels_last.
StepPtr make_channels_step(const kernels::KernelTable& table, const Node& node, const ChannelsTail& tail,
                           const std::vector<Operand>& from, const Operand& to);
/// Tells whether these nodes map each number on its own, or by its channel.
bool is_by_number(Kind kind);
/// Tells whether make_bytes_step can do this node on bytes, given what bytes of its inputs and of what it
/// makes stand for.
bool can_bytes(const Graph& graph, const kernels::KernelTable& table, const Node& node);
/// Returns the layout of bytes, without a border, of a value of shape (C,H,W).
Layout bytes_layout(const Shape& planes, const QuantParams& range);
/// Returns the cost of a convolution of bytes in the units of direct_cost; `tight` where nothing lies between
/// two pixels of its input.
double bytes_cost(const kernels::KernelTable& table, const Node& conv, const Shape& input, bool tight);
/// Makes a node whose inputs are in channels_u8. What it makes is too, or, of a convolution, in
/// channels_last.
StepPtr make_bytes_step(const kernels::KernelTable& table, const Graph& graph, const Node& node,
                        const ChannelsTail& tail, const std::vector<Operand>& from, const Operand& to);
/// Makes what is done number by number, channel by channel or pixel by pixel, all operands in channels_last.
StepPtr make_pixels_step(Isa isa, const Graph& graph, const Node& node, const std::vector<Operand>& from,
                         const Operand& to);

/// `then` is the pointwise node that the layer takes with it, or null.
StepPtr make_linear_step(Isa isa, const Node& linear, const Node* then, const Operand& from,
                         const Operand& to);

/// Takes softmax over the whole of a sample.
StepPtr make_softmax_step(Isa isa, std::int64_t size, int from, int to);

/// Computes every other node: dense f32 in and out.
StepPtr make_plain_step(Isa isa, const Graph& graph, const Node& node, const std::vector<int>& from, int to);

}  // namespace cbnet::runtime

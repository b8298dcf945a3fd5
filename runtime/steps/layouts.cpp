// These steps copy the caller's pixels to the layout that the first layer reads, and from layout to layout.
#include <algorithm>
#include <array>

#include "runtime/step.h"

namespace cbnet::runtime {
namespace {

/// Takes a layout in f32 as planes: a dense one has those of `other`, without zeros around, or one row.
Layout planes_of(const Layout& layout, const Layout& other, std::int64_t size) {
  if (layout.type == Layout::Type::padded) return layout;
  if (other.type == Layout::Type::padded) return {Layout::Type::padded, other.c, other.h, other.w};
  return {Layout::Type::padded, 1, 1, size};
}

void copy_planes(const float* from, const Layout& source, float* to, const Layout& target) {
  for (std::int64_t c = 0; c < target.c; ++c) {
    for (std::int64_t i = 0; i < target.h; ++i)
      std::copy_n(from + source.first() + c * source.plane() + i * source.row(), target.w,
                  to + target.first() + c * target.plane() + i * target.row());
  }
}

/// Copies planes, channel by channel, to where the channels of a pixel lie side by side.
template <class T, class F>
void interleave(const T* from, float* to, const Layout& target, F f) {
  zero_border(target, to);
  for (std::int64_t c = 0; c < target.c; ++c) {
    float* row = to + target.first() * target.pitch + c;
    for (std::int64_t i = 0; i < target.h; ++i, from += target.w, row += target.row() * target.pitch) {
      for (std::int64_t j = 0; j < target.w; ++j) row[j * target.pitch] = f(from[j]);
    }
  }
}

void interleave(const float* from, float* to, const Layout& target) {
  interleave(from, to, target, [](float x) { return x; });
}

/// Goes the way back.
void separate(const float* from, const Layout& source, float* to) {
  for (std::int64_t c = 0; c < source.c; ++c) {
    const float* row = from + source.first() * source.pitch + c;
    for (std::int64_t i = 0; i < source.h; ++i, to += source.w, row += source.row() * source.pitch) {
      for (std::int64_t j = 0; j < source.w; ++j) to[j] = row[j * source.pitch];
    }
  }
}

/// These bytes are made, in `layout`; a number that is not finite sets *not_finite, where it is not null.
struct Bytes {
  std::uint8_t* to;
  const Layout& layout;
  std::uint8_t* not_finite = nullptr;
};

void quantize(const kernels::KernelTable& table, const float* from, std::int64_t size, const Bytes& bytes) {
  table.linear.prepare[static_cast<int>(kernels::LinearKind::s8)](
      {1, size, size, from, size, false, bytes.layout.scale, static_cast<float>(bytes.layout.zero_point),
       bytes.to, bytes.not_finite});
}

class InputStep : public Step {
 public:
  InputStep(const kernels::KernelTable& table, std::int64_t size, const Operand& to)
      : Step({}, to.buffer),
        table_(table),
        size_(size),
        layout_(to.layout),
        planes_(planes_of(layout_, Layout{}, size)) {
    name = "pixels";
    for (std::size_t pixel = 0; pixel < stored_.size(); ++pixel) {
      const float value = static_cast<float>(pixel) / 255.0F;
      quantize(table, &value, 1, {&stored_[pixel], layout_});
      as_they_are_ = as_they_are_ && stored_[pixel] == pixel;
    }
  }

  void run(const Frame& frame) const override {
    if (layout_.type == Layout::Type::u8) std::fill_n(frame.not_finite(writes), frame.n, std::uint8_t{0});
    for (std::int64_t i = 0; i < frame.n; ++i) {
      if (layout_.type == Layout::Type::u8) {
        auto* to = frame.at<std::uint8_t>(writes, i);
        if (frame.pixels_u8 != nullptr) {
          const std::uint8_t* from = frame.pixels_u8 + i * size_;
          if (as_they_are_) {
            std::copy_n(from, size_, to);
          } else {
            std::transform(from, from + size_, to, [this](std::uint8_t pixel) { return stored_[pixel]; });
          }
        } else {
          quantize(table_, frame.pixels_f32 + i * size_, size_, {to, layout_});
        }
        continue;
      }
      float* to = frame.at<float>(writes, i);
      if (layout_.type == Layout::Type::channels_last) {
        if (frame.pixels_u8 != nullptr) {
          interleave(frame.pixels_u8 + i * size_, to, layout_,
                     [](std::uint8_t pixel) { return static_cast<float>(pixel) / 255.0F; });
        } else {
          interleave(frame.pixels_f32 + i * size_, to, layout_);
        }
      } else if (frame.pixels_u8 != nullptr) {
        const std::uint8_t* from = frame.pixels_u8 + i * size_;
        for (std::int64_t c = 0; c < planes_.c; ++c)
          table_.conv.pixels(from + c * planes_.h * planes_.w, to + planes_.first() + c * planes_.plane(),
                             planes_.h, planes_.w, planes_.row());
      } else {
        copy_planes(frame.pixels_f32 + i * size_, planes_of(Layout{}, planes_, size_), to, planes_);
      }
    }
  }

 private:
  const kernels::KernelTable& table_;
  std::int64_t size_;
  Layout layout_, planes_;
  std::array<std::uint8_t, 256> stored_{};  // of a byte layout: what each byte of the caller's becomes
  bool as_they_are_ = true;
};

class InterleaveStep : public Step {
 public:
  InterleaveStep(const Operand& from, const Operand& to)
      : Step({from.buffer}, to.buffer),
        to_channels_(to.layout.type == Layout::Type::channels_last),
        layout_(to_channels_ ? to.layout : from.layout) {}

  void run(const Frame& frame) const override {
    for (std::int64_t i = 0; i < frame.n; ++i) {
      const auto* const from = frame.at<float>(reads[0], i);
      auto* const to = frame.at<float>(writes, i);
      to_channels_ ? interleave(from, to, layout_) : separate(from, layout_, to);
    }
  }

 private:
  bool to_channels_;
  Layout layout_;
};

class LayoutStep : public Step {
 public:
  LayoutStep(const kernels::KernelTable& table, std::int64_t size, const Operand& from, const Operand& to)
      : Step({from.buffer}, to.buffer),
        table_(table),
        size_(size),
        bytes_(to.layout),
        from_(planes_of(from.layout, to.layout, size)),
        to_(planes_of(to.layout, from.layout, size)) {}

  void run(const Frame& frame) const override {
    for (std::int64_t i = 0; i < frame.n; ++i) {
      if (bytes_.type == Layout::Type::u8) {
        std::uint8_t* const not_finite = frame.not_finite(writes) + i;
        *not_finite = 0;
        quantize(table_, frame.at<float>(reads[0], i), size_,
                 {frame.at<std::uint8_t>(writes, i), bytes_, not_finite});
      } else {
        copy_planes(frame.at<float>(reads[0], i), from_, frame.at<float>(writes, i), to_);
      }
    }
  }

 private:
  const kernels::KernelTable& table_;
  std::int64_t size_;
  Layout bytes_;      // where those are made
  Layout from_, to_;  // as planes
};

}  // namespace

StepPtr make_input_step(const kernels::KernelTable& table, std::int64_t size, const Operand& to) {
  return std::make_unique<InputStep>(table, size, to);
}

StepPtr make_layout_step(const kernels::KernelTable& table, std::int64_t size, const Operand& from,
                         const Operand& to) {
  const auto is = [](const Operand& operand, Layout::Type type) { return operand.layout.type == type; };
  const bool to_channels = is(to, Layout::Type::channels_last),
             from_channels = is(from, Layout::Type::channels_last);
  if (to_channels || from_channels) {
    require(is(to_channels ? from : to, Layout::Type::dense), "plan",
            "channels side by side come from dense values and become those");
    return std::make_unique<InterleaveStep>(from, to);
  }
  const bool to_dense = from.layout.type == Layout::Type::padded && to.layout.type == Layout::Type::dense;
  require(
      from.layout.type == Layout::Type::dense || to_dense || from.layout.same_planes(to.layout), "plan",
      "planes come from dense values or the same planes, bytes from dense values, and nothing from bytes");
  return std::make_unique<LayoutStep>(table, size, from, to);
}

}  // namespace cbnet::runtime

// These steps copy the caller's pixels to the layout that the first layer reads, and from layout to layout.
#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/steps/channels.h"

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
template <class T, class To, class F>
void interleave(const T* from, To* to, const Layout& target, F f) {
  fill_border(target, to, static_cast<To>(target.zero_point));
  for (std::int64_t c = 0; c < target.c; ++c) {
    To* row = to + target.first() * target.pitch + c;
    for (std::int64_t i = 0; i < target.h; ++i, from += target.w, row += target.row() * target.pitch) {
      for (std::int64_t j = 0; j < target.w; ++j) row[j * target.pitch] = f(from[j]);
    }
  }
}

/// Goes the way back.
template <class T, class To, class F>
void separate(const T* from, const Layout& source, To* to, F f) {
  for (std::int64_t c = 0; c < source.c; ++c) {
    const T* row = from + source.first() * source.pitch + c;
    for (std::int64_t i = 0; i < source.h; ++i, to += source.w, row += source.row() * source.pitch) {
      for (std::int64_t j = 0; j < source.w; ++j) to[j] = f(row[j * source.pitch]);
    }
  }
}

template <class T>
T same(T x) {
  return x;
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
    if (layout_.type == Layout::Type::channels_u8) scratch_fixed_ = size;
    for (std::size_t pixel = 0; pixel < stored_.size(); ++pixel) {
      const float value = static_cast<float>(pixel) / 255.0F;
      quantize(table, &value, 1, {&stored_[pixel], layout_});
      as_they_are_ = as_they_are_ && stored_[pixel] == pixel;
    }
  }

  void run(const Frame& frame) const override {
    if (layout_.is_bytes()) std::fill_n(frame.not_finite(writes), frame.n, std::uint8_t{0});
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
      if (layout_.type == Layout::Type::channels_u8) {
        auto* const to = frame.at<std::uint8_t>(writes, i);
        if (frame.pixels_u8 != nullptr) {
          interleave(frame.pixels_u8 + i * size_, to, layout_,
                     [this](std::uint8_t pixel) { return stored_[pixel]; });
        } else {
          auto* const bytes = reinterpret_cast<std::uint8_t*>(frame.scratch);
          quantize(table_, frame.pixels_f32 + i * size_, size_, {bytes, layout_});
          interleave(bytes, to, layout_, same<std::uint8_t>);
        }
        continue;
      }
      float* to = frame.at<float>(writes, i);
      if (layout_.type == Layout::Type::channels_last) {
        if (frame.pixels_u8 != nullptr) {
          interleave(frame.pixels_u8 + i * size_, to, layout_,
                     [](std::uint8_t pixel) { return static_cast<float>(pixel) / 255.0F; });
        } else {
          interleave(frame.pixels_f32 + i * size_, to, layout_, same<float>);
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
      to_channels_ ? interleave(from, to, layout_, same<float>) : separate(from, layout_, to, same<float>);
    }
  }

 private:
  bool to_channels_;
  Layout layout_;
};

/// A step brings f32 to bytes whose channels lie side by side.
class ToBytesStep : public Step {
 public:
  ToBytesStep(const kernels::KernelTable& table, std::int64_t size, const Operand& from, const Operand& to)
      : Step({from.buffer}, to.buffer), table_(table), size_(size), from_(from.layout), to_(to.layout) {
    if (from_.type == Layout::Type::dense) scratch_fixed_ = size;
  }

  void run(const Frame& frame) const override {
    for (std::int64_t i = 0; i < frame.n; ++i) {
      const auto* const from = frame.at<float>(reads[0], i);
      auto* const to = frame.at<std::uint8_t>(writes, i);
      std::uint8_t* const not_finite = frame.not_finite(writes) + i;
      *not_finite = 0;
      if (from_.type == Layout::Type::dense) {
        auto* const bytes = reinterpret_cast<std::uint8_t*>(frame.scratch);
        quantize(table_, from, size_, {bytes, to_, not_finite});
        interleave(bytes, to, to_, same<std::uint8_t>);
        continue;
      }
      fill_border(to_, to, static_cast<std::uint8_t>(to_.zero_point));
      // What lies between the channels of two pixels may be anything.
      const bool whole_rows = from_.pitch == from_.c && to_.pitch == to_.c;
      const std::int64_t run = whole_rows ? to_.w * to_.c : to_.c;
      for (std::int64_t y = 0; y < to_.h; ++y) {
        for (std::int64_t x = 0; x < (whole_rows ? 1 : to_.w); ++x)
          quantize(table_, from + pixel_offset(from_, y, x), run,
                   {to + pixel_offset(to_, y, x), to_, not_finite});
      }
    }
  }

 private:
  const kernels::KernelTable& table_;
  std::int64_t size_;
  Layout from_, to_;
};

/// A step goes the way back, or brings such bytes to bytes in rows.
class FromBytesStep : public Step {
 public:
  FromBytesStep(std::int64_t size, const Operand& from, const Operand& to)
      : Step({from.buffer}, to.buffer), size_(size), from_(from.layout), to_(to.layout) {
    for (std::size_t q = 0; q < real_.size(); ++q) {
      real_[q] = from_.scale * static_cast<float>(static_cast<int>(q) - from_.zero_point);
      const float stored = real_[q] / to_.scale + static_cast<float>(to_.zero_point);
      stored_[q] = static_cast<std::uint8_t>(std::nearbyint(std::clamp(stored, 0.0F, 255.0F)));
    }
  }

  void run(const Frame& frame) const override {
    for (std::int64_t i = 0; i < frame.n; ++i) {
      const auto* const from = frame.at<std::uint8_t>(reads[0], i);
      const std::uint8_t lost = frame.not_finite(reads[0])[i];
      if (to_.is_bytes()) {
        separate(from, from_, frame.at<std::uint8_t>(writes, i),
                 [this](std::uint8_t q) { return stored_[q]; });
        frame.not_finite(writes)[i] = lost;
        continue;
      }
      auto* const to = frame.at<float>(writes, i);
      if (to_.type == Layout::Type::dense) {
        separate(from, from_, to, [this](std::uint8_t q) { return real_[q]; });
      } else {
        zero_border(to_, to);
        for (std::int64_t y = 0; y < to_.h; ++y) {
          for (std::int64_t x = 0; x < to_.w; ++x)
            std::transform(from + pixel_offset(from_, y, x), from + pixel_offset(from_, y, x) + to_.c,
                           to + pixel_offset(to_, y, x), [this](std::uint8_t q) { return real_[q]; });
        }
      }
      if (lost != 0)
        std::fill_n(to, to_.type == Layout::Type::dense ? size_ : to_.image(),
                    std::numeric_limits<float>::quiet_NaN());
    }
  }

 private:
  std::int64_t size_;
  Layout from_, to_;
  std::array<float, 256> real_{};           // what each byte stands for
  std::array<std::uint8_t, 256> stored_{};  // of bytes: and the byte that stands for that there
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

bool can_copy(const Layout& from, const Layout& to) {
  using Type = Layout::Type;
  if (from.type == Type::dense || to.same_planes(from)) return true;
  if (from.type == Type::channels_last) return to.type == Type::dense || to.type == Type::channels_u8;
  if (from.type == Type::channels_u8) return to.type != Type::padded && to.type != Type::channels_u8;
  return from.type == Type::padded && to.type == Type::dense;
}

StepPtr make_layout_step(const kernels::KernelTable& table, std::int64_t size, const Operand& from,
                         const Operand& to) {
  const auto is = [](const Operand& operand, Layout::Type type) { return operand.layout.type == type; };
  require(can_copy(from.layout, to.layout), "plan",
          "planes come from dense values or the same planes, channels side by side and bytes from f32");
  if (is(to, Layout::Type::channels_u8)) return std::make_unique<ToBytesStep>(table, size, from, to);
  if (is(from, Layout::Type::channels_u8)) return std::make_unique<FromBytesStep>(size, from, to);
  if (is(to, Layout::Type::channels_last) || is(from, Layout::Type::channels_last))
    return std::make_unique<InterleaveStep>(from, to);
  return std::make_unique<LayoutStep>(table, size, from, to);
}

}  // namespace cbnet::runtime

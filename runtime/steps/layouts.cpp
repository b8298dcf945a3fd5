// From the caller's pixels to the layout that the first layer reads, and between layouts.
#include <algorithm>
#include <array>

#include "runtime/step.h"

namespace cbnet::runtime {
namespace {

/// Rows of a layout in f32, one after the other for a dense one.
struct Rows {
  std::int64_t planes, rows, width, row, plane, first;

  Rows(const Layout& shape, const Layout& layout)
      : planes(shape.c),
        rows(shape.h),
        width(shape.w),
        row(layout.type == Layout::Type::padded ? layout.row() : shape.w),
        plane(layout.type == Layout::Type::padded ? layout.plane() : shape.h * shape.w),
        first(layout.type == Layout::Type::padded ? layout.first() : 0) {}

  float* at(float* buffer, std::int64_t c, std::int64_t i) const {
    return buffer + first + c * plane + i * row;
  }
  const float* at(const float* buffer, std::int64_t c, std::int64_t i) const {
    return buffer + first + c * plane + i * row;
  }
};

void copy_rows(const float* from, const Rows& source, float* to, const Rows& target) {
  for (std::int64_t c = 0; c < target.planes; ++c) {
    for (std::int64_t i = 0; i < target.rows; ++i)
      std::copy_n(source.at(from, c, i), target.width, target.at(to, c, i));
  }
}

/// The planes that a layout speaks of; a dense one is one row.
Layout planes_of(const Layout& layout, std::int64_t size) {
  if (layout.type == Layout::Type::padded) return layout;
  Layout out;
  out.c = out.h = 1;
  out.w = size;
  return out;
}

void quantize(const kernels::KernelTable& table, const float* from, std::uint8_t* to, std::int64_t size,
              const Layout& layout, std::uint8_t* not_finite = nullptr) {
  table.dense.prepare[static_cast<int>(kernels::LinearKind::s8)](
      {1, size, size, from, size, false, layout.scale, static_cast<float>(layout.zero_point), to,
       not_finite});
}

class InputStep : public Step {
 public:
  InputStep(const kernels::KernelTable& table, std::int64_t size, const Layout& layout, int to)
      : table_(table),
        size_(size),
        layout_(layout),
        planes_(planes_of(layout, size)),
        rows_(planes_, layout) {
    name = "pixels";
    writes = to;
    for (std::size_t pixel = 0; pixel < stored_.size(); ++pixel) {
      const float value = static_cast<float>(pixel) / 255.0F;
      quantize(table, &value, &stored_[pixel], 1, layout_);
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
          quantize(table_, frame.pixels_f32 + i * size_, to, size_, layout_);
        }
        continue;
      }
      float* to = frame.at<float>(writes, i);
      if (frame.pixels_u8 != nullptr) {
        const std::uint8_t* from = frame.pixels_u8 + i * size_;
        for (std::int64_t c = 0; c < planes_.c; ++c)
          table_.conv.pixels(from + c * planes_.h * planes_.w, rows_.at(to, c, 0), planes_.h, planes_.w,
                             rows_.row);
      } else {
        copy_rows(frame.pixels_f32 + i * size_, Rows(planes_, Layout{}), to, rows_);
      }
    }
  }

 private:
  const kernels::KernelTable& table_;
  std::int64_t size_;
  Layout layout_, planes_;
  Rows rows_;
  std::array<std::uint8_t, 256> stored_{};  // of a byte layout: what each byte of the caller's becomes
  bool as_they_are_ = true;
};

class LayoutStep : public Step {
 public:
  LayoutStep(const kernels::KernelTable& table, std::int64_t size, int from, const Layout& from_layout,
             int to, const Layout& to_layout)
      : table_(table), size_(size), from_(from_layout), to_(to_layout) {
    reads = {from};
    writes = to;
    planes_ = planes_of(to_.type == Layout::Type::padded ? to_ : from_, size);
  }

  void run(const Frame& frame) const override {
    for (std::int64_t i = 0; i < frame.n; ++i) {
      if (to_.type == Layout::Type::u8) {
        std::uint8_t* const not_finite = frame.not_finite(writes) + i;
        *not_finite = 0;
        quantize(table_, frame.at<float>(reads[0], i), frame.at<std::uint8_t>(writes, i), size_, to_,
                 not_finite);
      } else {
        copy_rows(frame.at<float>(reads[0], i), Rows(planes_, from_), frame.at<float>(writes, i),
                  Rows(planes_, to_));
      }
    }
  }

 private:
  const kernels::KernelTable& table_;
  std::int64_t size_;
  Layout from_, to_, planes_;
};

}  // namespace

StepPtr make_input_step(const kernels::KernelTable& table, std::int64_t size, const Layout& layout, int to) {
  return std::make_unique<InputStep>(table, size, layout, to);
}

StepPtr make_layout_step(const kernels::KernelTable& table, std::int64_t size, int from,
                         const Layout& from_layout, int to, const Layout& to_layout) {
  const bool to_dense = from_layout.type == Layout::Type::padded && to_layout.type == Layout::Type::dense;
  require(
      from_layout.type == Layout::Type::dense || to_dense || from_layout.same_planes(to_layout), "plan",
      "planes come from dense values or the same planes, bytes from dense values, and nothing from bytes");
  return std::make_unique<LayoutStep>(table, size, from, from_layout, to, to_layout);
}

}  // namespace cbnet::runtime

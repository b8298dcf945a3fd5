#include "runtime/dense.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/error.h"

namespace cbnet::runtime {
namespace {

using kernels::DenseKind;
using kernels::kDenseGroup;

constexpr std::int64_t kAlign = 64;

std::int64_t round_up(std::int64_t size, std::int64_t to) { return (size + to - 1) / to * to; }

DenseKind kind_of(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return DenseKind::f32;
    case Precision::bf16:
      return DenseKind::bf16;
    case Precision::int8:
      return DenseKind::s8;
  }
  throw std::invalid_argument("[dense] unknown precision");
}

void check_scale(const char* what, const QuantParams& q) {
  require(std::isfinite(q.scale) && q.scale > 0, "dense", what, " scale must be positive and finite; got ",
          q.scale);
  require(q.zero_point >= 0 && q.zero_point <= 255, "dense", what, " zero point must be 0 to 255; got ",
          q.zero_point);
}

/// Where the parts of a packed layer begin, in bytes.
struct Parts {
  std::size_t size = 0;
  std::size_t add(std::int64_t count, std::size_t element) {
    const std::size_t begin = size;
    size += static_cast<std::size_t>(round_up(count * static_cast<std::int64_t>(element), kAlign));
    return begin;
  }
};

/// One group's weights of one step, from the row-major matrix; zeros beyond its edges.
template <class T>
T* pack_step(T* to, const std::vector<T>& w, std::int64_t in, std::int64_t out, std::int64_t group,
             std::int64_t step, std::int64_t inputs) {
  for (std::int64_t o = group * kDenseGroup; o < (group + 1) * kDenseGroup; ++o) {
    for (std::int64_t k = step * inputs; k < (step + 1) * inputs; ++k) {
      *to++ = o < out && k < in ? w[static_cast<std::size_t>(o * in + k)] : T(0);
    }
  }
  return to;
}

void pack_narrow(float* to, const std::vector<float>& w, std::int64_t in, std::int64_t out) {
  for (std::int64_t first = 0; first < in; first += kDenseGroup) {
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t k = first; k < first + kDenseGroup; ++k) {
        *to++ = k < in ? w[static_cast<std::size_t>(o * in + k)] : 0.0F;
      }
    }
  }
}

template <class T>
void pack(T* to, const std::vector<T>& w, std::int64_t in, std::int64_t out, DenseKind kind,
          const kernels::DenseTable& table, const kernels::DenseCall& call) {
  const std::int64_t groups = (out + kDenseGroup - 1) / kDenseGroup, inputs = kernels::dense_step(kind);
  if (call.starts != nullptr) {
    for (std::int64_t g = 0; g < groups; ++g) {
      for (std::int64_t i = call.starts[g]; i < call.starts[g + 1]; ++i) {
        to = pack_step(to, w, in, out, g, call.columns[i], inputs);
      }
    }
    return;
  }
  const std::int64_t most = table.groups[static_cast<int>(kind)];
  // As the kernel splits them: the fewest panels, as equal as can be.
  const std::int64_t panels = (groups + most - 1) / most;
  for (std::int64_t panel = 0, group = 0; panel < panels; ++panel) {
    const std::int64_t count = groups / panels + (panel < groups % panels ? 1 : 0);
    for (std::int64_t step = 0; step < call.steps; ++step) {
      for (std::int64_t g = group; g < group + count; ++g) {
        to = pack_step(to, w, in, out, g, step, inputs);
      }
    }
    group += count;
  }
}

}  // namespace

Precision parse_precision(const std::string& name) {
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
    if (name == to_string(precision)) return precision;
  }
  throw std::invalid_argument(concat("[precision] expected fp32, bf16 or int8; got '", name, "'"));
}

const char* to_string(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::bf16:
      return "bf16";
    case Precision::int8:
      return "int8";
  }
  return "unknown";
}

void check(const DenseWeights& w, const DenseSpec& spec) {
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  require(w.in >= 1 && w.out >= 1 && w.in < kMost && w.out < kMost && w.in <= kMost / w.out, "dense",
          "in and out must be at least 1, and in * out at most ", kMost, "; got in ", w.in, ", out ", w.out);
  const auto count = static_cast<std::size_t>(w.in * w.out), out = static_cast<std::size_t>(w.out);
  const auto check_count = [&](const char* what, std::size_t got, std::size_t want) {
    require(got == want, "dense", what, " must hold ", want, " values for ", w.out, "x", w.in, "; got ", got);
  };
  const auto holds = [&](Precision precision, std::size_t n) { return w.precision == precision ? n : 0; };
  check_count("fp32", w.fp32.size(), holds(Precision::fp32, count));
  check_count("bf16", w.bf16.size(), holds(Precision::bf16, count));
  check_count("int8", w.int8.size(), holds(Precision::int8, count));
  check_count("scales", w.scales.size(), holds(Precision::int8, out));
  check_count("bias", w.bias.size(), w.bias.empty() ? 0 : out);
  if (w.precision == Precision::int8) {
    // A product is at most 255 * 128, and the zero point's share as large again.
    require(w.in <= 65'000, "dense", "int8 sums fit 32 bits up to 65000 inputs; got ", w.in);
    require(std::find(w.int8.begin(), w.int8.end(), -128) == w.int8.end(), "dense",
            "int8 weights must be -127 to 127; got -128");
    for (const float scale : w.scales) {
      require(std::isfinite(scale) && scale > 0, "dense", "scales must be positive and finite; got ", scale);
    }
  }
  if (spec.input_u8 || w.precision == Precision::int8) check_scale("input", spec.input);
  if (spec.output_u8) check_scale("output", spec.output);
  if (w.mask.kept.empty()) return;
  require(w.precision != Precision::bf16, "dense", "there is no block-sparse kernel for bf16 weights");
  const std::int64_t block_in = w.precision == Precision::fp32 ? 1 : 4;
  require(w.mask.block_out == kDenseGroup && w.mask.block_in == block_in, "dense", to_string(w.precision),
          " weights are sparse in blocks of ", kDenseGroup, " x ", block_in, "; got ", w.mask.block_out,
          " x ", w.mask.block_in);
  check_count(
      "mask", w.mask.kept.size(),
      static_cast<std::size_t>((w.out + kDenseGroup - 1) / kDenseGroup * ((w.in + block_in - 1) / block_in)));
}

namespace {

/// Whether every output is finite whatever the bytes are: sums are 32-bit integers.
bool are_finite(const float* multiplier, const std::vector<float>& bias, double slope, std::int64_t out) {
  constexpr double kLargestSum = 2147483648.0, kMost = 1e38;
  for (std::int64_t o = 0; o < out; ++o) {
    const double b = bias.empty() ? 0.0 : static_cast<double>(bias[static_cast<std::size_t>(o)]);
    const double largest = static_cast<double>(multiplier[o]) * kLargestSum + std::abs(b);
    if (!(largest * std::max(1.0, std::abs(slope)) < kMost)) return false;
  }
  return true;
}

}  // namespace

DenseLayer::DenseLayer(const DenseWeights& w, const DenseSpec& spec, Isa isa)
    : in_(w.in),
      out_(w.out),
      x_u8_(spec.input_u8),
      input_(spec.input),
      kind_(kind_of(w.precision)),
      table_(&kernels::kernel_table(isa).dense) {
  check(w, spec);
  const std::int64_t inputs = kernels::dense_step(kind_), steps = (in_ + inputs - 1) / inputs;
  const std::int64_t groups = (out_ + kDenseGroup - 1) / kDenseGroup;
  const bool sparse = !w.mask.kept.empty();
  // Adding up the lanes costs what 256 inputs save.
  narrow_ = in_ >= 256 && kind_ == DenseKind::f32 && !sparse && out_ <= table_->narrow;
  std::vector<std::int64_t> starts;
  std::vector<std::int32_t> columns;
  if (sparse) {
    starts.push_back(0);
    for (std::int64_t g = 0; g < groups; ++g) {
      const std::int64_t outputs = std::min(kDenseGroup, out_ - g * kDenseGroup);
      for (std::int64_t step = 0; step < steps; ++step) {
        if (w.mask.kept[static_cast<std::size_t>(g * steps + step)] == 0) continue;
        columns.push_back(static_cast<std::int32_t>(step));
        macs_ += outputs * std::min(inputs, in_ - step * inputs);
      }
      starts.push_back(static_cast<std::int64_t>(columns.size()));
    }
  } else {
    macs_ = in_ * out_;
  }

  const bool s8 = kind_ == DenseKind::s8;
  const std::size_t element = s8 ? 1 : kind_ == DenseKind::bf16 ? 2 : 4;
  const std::int64_t kept_steps = sparse ? starts.back() : groups * steps;
  const std::int64_t held = narrow_ ? round_up(in_, kDenseGroup) * out_ : kept_steps * inputs * kDenseGroup;
  packed_bytes_ = static_cast<std::size_t>(held) * element;
  Parts parts;
  const std::size_t at_weights = parts.add(held, element);
  const std::size_t at_bias = parts.add(groups * kDenseGroup, sizeof(float));
  const std::size_t at_multiplier = parts.add(s8 ? groups * kDenseGroup : 0, sizeof(float));
  const std::size_t at_offset = parts.add(s8 ? groups * kDenseGroup : 0, sizeof(std::int32_t));
  const std::size_t at_starts = parts.add(static_cast<std::int64_t>(starts.size()), sizeof(std::int64_t));
  const std::size_t at_columns = parts.add(static_cast<std::int64_t>(columns.size()), sizeof(std::int32_t));
  const auto storage = std::make_shared<Storage>(parts.size);
  std::byte* const base = storage->data();
  std::memset(base, 0, parts.size);
  const auto copy = [&](std::size_t at, const auto& values) {
    if (!values.empty()) std::memcpy(base + at, values.data(), values.size() * sizeof values[0]);
    return base + at;
  };

  call_.weights = base + at_weights;
  call_.bias = reinterpret_cast<const float*>(copy(at_bias, w.bias));
  if (sparse) {
    call_.starts = reinterpret_cast<const std::int64_t*>(copy(at_starts, starts));
    call_.columns = reinterpret_cast<const std::int32_t*>(copy(at_columns, columns));
  }
  call_.out = out_;
  call_.steps = steps;
  call_.activation = spec.activation;
  call_.slope = spec.slope;
  call_.y_u8 = spec.output_u8;
  call_.y_inverse_scale = 1.0F / spec.output.scale;
  call_.y_zero_point = static_cast<float>(spec.output.zero_point);
  if (s8) {
    auto* const multiplier = reinterpret_cast<float*>(base + at_multiplier);
    auto* const offset = reinterpret_cast<std::int32_t*>(base + at_offset);
    for (std::int64_t o = 0; o < out_; ++o) {
      multiplier[o] = w.scales[static_cast<std::size_t>(o)] * spec.input.scale;
      std::int32_t sum = 0;
      for (std::int64_t k = 0; k < in_; ++k) {
        const bool kept =
            !sparse || w.mask.kept[static_cast<std::size_t>(o / kDenseGroup * steps + k / inputs)] != 0;
        if (kept) sum += w.int8[static_cast<std::size_t>(o * in_ + k)];
      }
      offset[o] = -spec.input.zero_point * sum;
    }
    always_finite_ = x_u8_ && are_finite(multiplier, w.bias, spec.slope, out_);
    call_.multiplier = multiplier;
    call_.offset = offset;
    pack(reinterpret_cast<std::int8_t*>(base + at_weights), w.int8, in_, out_, kind_, *table_, call_);
  } else if (kind_ == DenseKind::bf16) {
    pack(reinterpret_cast<std::uint16_t*>(base + at_weights), w.bf16, in_, out_, kind_, *table_, call_);
  } else if (narrow_) {
    pack_narrow(reinterpret_cast<float*>(base + at_weights), w.fp32, in_, out_);
  } else {
    pack(reinterpret_cast<float*>(base + at_weights), w.fp32, in_, out_, kind_, *table_, call_);
  }
  packed_ = storage;

  // A zero times what is not finite is not zero.
  call_.skips =
      std::all_of(w.fp32.begin(), w.fp32.end(), [](float v) { return std::isfinite(v); }) &&
      std::all_of(w.bf16.begin(), w.bf16.end(), [](std::uint16_t v) { return (v & 0x7f80U) != 0x7f80U; });

  prepared_ = in_ % inputs != 0 || x_u8_ != s8;
  padded_ = round_up(in_, kDenseGroup);
}

std::size_t DenseLayer::prepared_bytes(std::int64_t rows) const {
  if (!prepared_) return 0;
  const std::int64_t element = kind_ == DenseKind::s8 ? 1 : sizeof(float);
  return static_cast<std::size_t>(round_up(rows * padded_ * element, kAlign));
}

std::size_t DenseLayer::scratch_bytes(std::int64_t rows) const {
  if (narrow_ || call_.starts != nullptr) return prepared_bytes(rows);
  const std::int64_t most = table_->rows[static_cast<int>(kind_)];
  const std::int64_t lists = (rows + most - 1) / most * kernels::dense_list(call_.steps);
  return prepared_bytes(rows) + static_cast<std::size_t>(lists) * sizeof(std::int32_t);
}

void DenseLayer::run(const void* x, std::int64_t x_pitch, void* y, std::int64_t y_pitch, std::int64_t rows,
                     void* scratch, bool backwards, std::uint8_t* not_finite) const {
  require(rows >= 0, "dense", "rows must be at least 0; got ", rows);
  if (rows == 0) return;
  require(x_pitch >= in_ && y_pitch >= out_, "dense", "pitches must be at least in ", in_, " and out ", out_,
          "; got ", x_pitch, " and ", y_pitch);
  require(x != nullptr && y != nullptr && (scratch != nullptr || scratch_bytes(rows) == 0), "dense",
          "x, y and, where scratch_bytes is not 0, scratch must not be null");
  kernels::DenseCall call = call_;
  call.rows = rows;
  call.x = x;
  call.x_pitch = x_pitch;
  call.y = y;
  call.y_pitch = y_pitch;
  call.backwards = backwards;
  call.not_finite = always_finite_ ? nullptr : not_finite;
  call.lists = reinterpret_cast<std::int32_t*>(static_cast<std::byte*>(scratch) + prepared_bytes(rows));
  const auto kind = static_cast<int>(kind_);
  if (prepared_) {
    table_->prepare[kind]({rows, in_, padded_, x, x_pitch, x_u8_, input_.scale,
                           static_cast<float>(input_.zero_point), scratch, not_finite});
    call.x = scratch;
    call.x_pitch = padded_;
  }
  if (narrow_) return table_->run_narrow(call);
  (call.starts != nullptr ? table_->run_sparse : table_->run)[kind](call);
}

void softmax_rows(const float* x, std::int64_t x_pitch, float* y, std::int64_t y_pitch, std::int64_t rows,
                  std::int64_t n, float factor, Isa isa) {
  require(rows >= 0 && n >= 1, "softmax_rows", "rows must be at least 0 and n at least 1; got ", rows,
          " and ", n);
  require(x_pitch >= n && y_pitch >= n, "softmax_rows", "pitches must be at least n ", n, "; got ", x_pitch,
          " and ", y_pitch);
  kernels::kernel_table(isa).dense.softmax_rows(x, y, rows, n, x_pitch, y_pitch, factor);
}

}  // namespace cbnet::runtime

#include "runtime/linear.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/cpu/kernels/split.h"
#include "tensor/error.h"

namespace cbnet::runtime {
namespace {

using kernels::round_up;

using kernels::kLinearGroup;
using kernels::LinearKind;

constexpr const char* kPrecisions[] = {"fp32", "bf16", "int8"};  // of Precision, and of LinearKind

void check_scale(const char* what, const QuantParams& q) {
  require(std::isfinite(q.scale) && q.scale > 0, "linear", what, " scale must be positive and finite; got ",
          q.scale);
  require(q.zero_point >= 0 && q.zero_point <= 255, "linear", what, " zero point must be 0 to 255; got ",
          q.zero_point);
}

/// Calls f(the weights in their precision).
template <class F>
auto with_weights(const LinearWeights& w, F f) {
  if (w.precision == Precision::bf16) return f(w.bf16);
  return w.precision == Precision::int8 ? f(w.int8) : f(w.fp32);
}

bool is_finite(float v) { return std::isfinite(v); }
bool is_finite(std::uint16_t bf16) { return (bf16 & 0x7f80U) != 0x7f80U; }
bool is_finite(std::int8_t) { return true; }

/// Tells whether every output is finite whatever the bytes are: sums are 32-bit integers.
bool are_finite(const float* multiplier, const std::vector<float>& bias, double slope, std::int64_t out) {
  constexpr double kLargestSum = 2147483648.0, kMax = 1e38;
  for (std::int64_t o = 0; o < out; ++o) {
    const double b = bias.empty() ? 0.0 : static_cast<double>(bias[static_cast<std::size_t>(o)]);
    const double largest = static_cast<double>(multiplier[o]) * kLargestSum + std::abs(b);
    if (!(largest * std::max(1.0, std::abs(slope)) < kMax)) return false;
  }
  return true;
}

/// A part is memory of whole cache lines, or none.
using Part = std::unique_ptr<Storage>;

template <class T>
T* as(const Part& part) {
  return part == nullptr ? nullptr : reinterpret_cast<T*>(part->data());
}
template <class T>
Part make_part(std::int64_t count) {
  return std::make_unique<Storage>(static_cast<std::size_t>(count) * sizeof(T));
}

}  // namespace

Precision parse_precision(const std::string& name) {
  for (std::size_t i = 0; i < std::size(kPrecisions); ++i) {
    if (name == kPrecisions[i]) return static_cast<Precision>(i);
  }
  throw std::invalid_argument(concat("[precision] expected fp32, bf16 or int8; got '", name, "'"));
}

const char* to_string(Precision precision) { return kPrecisions[static_cast<int>(precision)]; }

void check(const LinearWeights& w, const LinearSpec& spec) {
  constexpr std::int64_t kMax = std::int64_t{1} << 31;
  require(w.in >= 1 && w.out >= 1 && w.in < kMax && w.out < kMax && w.in <= kMax / w.out, "linear",
          "in and out must be at least 1, and in * out at most ", kMax, "; got in ", w.in, ", out ", w.out);
  const auto count = static_cast<std::size_t>(w.in * w.out), out = static_cast<std::size_t>(w.out);
  const auto check_count = [&](const char* what, std::size_t got, std::size_t expected) {
    require(got == expected, "linear", what, " must hold ", expected, " values for ", w.out, "x", w.in,
            "; got ", got);
  };
  const auto holds = [&](Precision precision, std::size_t n) { return w.precision == precision ? n : 0; };
  check_count("fp32", w.fp32.size(), holds(Precision::fp32, count));
  check_count("bf16", w.bf16.size(), holds(Precision::bf16, count));
  check_count("int8", w.int8.size(), holds(Precision::int8, count));
  check_count("scales", w.scales.size(), holds(Precision::int8, out));
  check_count("bias", w.bias.size(), w.bias.empty() ? 0 : out);
  if (w.precision == Precision::int8) {
    // A product is at most 255 * 128, and what the zero point adds as large again.
    require(w.in <= 65'000, "linear", "int8 sums fit 32 bits up to 65000 inputs; got ", w.in);
    require(std::find(w.int8.begin(), w.int8.end(), -128) == w.int8.end(), "linear",
            "int8 weights must be -127 to 127; got -128");
    for (const float scale : w.scales) {
      require(std::isfinite(scale) && scale > 0, "linear", "scales must be positive and finite; got ", scale);
    }
  }
  if (spec.input_u8 || w.precision == Precision::int8) check_scale("input", spec.input);
  if (spec.output_u8) check_scale("output", spec.output);
  if (w.mask.kept.empty()) return;
  require(w.precision != Precision::bf16, "linear", "there is no block-sparse kernel for bf16 weights");
  const std::int64_t block_in = w.precision == Precision::fp32 ? 1 : 4;
  require(w.mask.block_out == kLinearGroup && w.mask.block_in == block_in, "linear", to_string(w.precision),
          " weights are sparse in blocks of ", kLinearGroup, " x ", block_in, "; got ", w.mask.block_out,
          " x ", w.mask.block_in);
  check_count("mask", w.mask.kept.size(),
              static_cast<std::size_t>((w.out + kLinearGroup - 1) / kLinearGroup *
                                       ((w.in + block_in - 1) / block_in)));
}

/// Holds the weights as the kernels of one ISA read them.
struct LinearLayer::Packed {
  Packed(const LinearWeights& w, const LinearSpec& spec, bool is_narrow, std::int64_t groups_of_panel)
      : narrow(is_narrow),
        inputs(kernels::inputs_per_k_block(static_cast<LinearKind>(w.precision))),
        k_blocks((w.in + inputs - 1) / inputs),
        groups((w.out + kLinearGroup - 1) / kLinearGroup),
        bias(per_output(w.bias)) {
    if (!w.mask.kept.empty()) list_kept(w);
    if (w.precision == Precision::int8) set_scales(w, spec.input);
    with_weights(w, [&](const auto& values) { pack(values, w.in, w.out, groups_of_panel); });
  }

  bool is_sparse() const { return !starts.empty(); }

  bool narrow;
  std::int64_t inputs, k_blocks, groups;   // inputs: of a K-block
  Part bias, weights, multiplier, offset;  // the last two of int8; as in LinearCall
  std::vector<std::int64_t> starts;
  std::vector<std::int32_t> columns;

 private:
  /// Fills up to whole groups, the rest zeros.
  template <class T>
  Part per_output(const std::vector<T>& values) const {
    Part out = make_part<T>(groups * kLinearGroup);
    std::fill_n(as<T>(out), groups * kLinearGroup, T(0));
    std::copy(values.begin(), values.end(), as<T>(out));
    return out;
  }

  void list_kept(const LinearWeights& w) {
    starts.push_back(0);
    for (std::int64_t i = 0; i < groups * k_blocks; ++i) {
      if (w.mask.kept[static_cast<std::size_t>(i)] != 0)
        columns.push_back(static_cast<std::int32_t>(i % k_blocks));
      if (i % k_blocks == k_blocks - 1) starts.push_back(static_cast<std::int64_t>(columns.size()));
    }
  }

  void set_scales(const LinearWeights& w, const QuantParams& input) {
    std::vector<float> scales;
    std::vector<std::int32_t> offsets;
    for (std::int64_t o = 0; o < w.out; ++o) {
      scales.push_back(w.scales[static_cast<std::size_t>(o)] * input.scale);
      std::int32_t sum = 0;
      for (std::int64_t k = 0; k < w.in; ++k) {
        const auto block = static_cast<std::size_t>(o / kLinearGroup * k_blocks + k / inputs);
        if (!is_sparse() || w.mask.kept[block] != 0) sum += w.int8[static_cast<std::size_t>(o * w.in + k)];
      }
      offsets.push_back(-input.zero_point * sum);
    }
    multiplier = per_output(scales);
    offset = per_output(offsets);
  }

  /// Elements stand in the order of linear.h; zeros beyond the edges of the matrix.
  template <class T>
  void pack(const std::vector<T>& w, std::int64_t in, std::int64_t out, std::int64_t groups_of_panel) {
    const std::int64_t kept = is_sparse() ? starts.back() : groups * k_blocks;
    const std::int64_t size = narrow ? round_up(in, kLinearGroup) * out : kept * inputs * kLinearGroup;
    weights = make_part<T>(size);
    T* to = as<T>(weights);
    // put() writes the weights of some outputs by some inputs, those of one output together.
    const auto put = [&](std::int64_t first_o, std::int64_t outputs, std::int64_t first_k,
                         std::int64_t count) {
      for (std::int64_t o = first_o; o < first_o + outputs; ++o) {
        for (std::int64_t k = first_k; k < first_k + count; ++k)
          *to++ = o < out && k < in ? w[static_cast<std::size_t>(o * in + k)] : T(0);
      }
    };
    if (narrow) {
      for (std::int64_t k = 0; k < in; k += kLinearGroup) put(0, out, k, kLinearGroup);
    } else if (is_sparse()) {
      for (std::int64_t g = 0; g < groups; ++g) {
        for (std::int64_t i = starts[static_cast<std::size_t>(g)];
             i < starts[static_cast<std::size_t>(g) + 1]; ++i)
          put(g * kLinearGroup, kLinearGroup, columns[static_cast<std::size_t>(i)] * inputs, inputs);
      }
    } else {
      const kernels::Split panels(groups, groups_of_panel);
      for (std::int64_t p = 0; p < panels.blocks; ++p) {
        for (std::int64_t b = 0; b < k_blocks; ++b)
          put(panels.first(p) * kLinearGroup, panels[p] * kLinearGroup, b * inputs, inputs);
      }
    }
  }
};

LinearLayer::LinearLayer(const LinearWeights& w, const LinearSpec& spec, Isa isa)
    : in_(w.in),
      out_(w.out),
      x_u8_(spec.input_u8),
      input_(spec.input),
      kind_(static_cast<LinearKind>(w.precision)),
      table_(&kernels::kernel_table(isa).linear) {
  check(w, spec);
  // Adding up the lanes costs what 256 inputs save.
  const bool narrow = in_ >= 256 && kind_ == LinearKind::f32 && w.mask.kept.empty() && out_ <= table_->narrow;
  packed_ = std::make_shared<const Packed>(w, spec, narrow, table_->groups[static_cast<int>(kind_)]);
  call_.weights = packed_->weights->data();
  call_.bias = as<float>(packed_->bias);
  if (packed_->is_sparse()) {
    call_.starts = packed_->starts.data();
    call_.columns = packed_->columns.data();
  }
  call_.multiplier = as<float>(packed_->multiplier);
  call_.offset = as<std::int32_t>(packed_->offset);
  call_.out = out_;
  call_.k_blocks = packed_->k_blocks;
  call_.activation = spec.activation;
  call_.slope = spec.slope;
  call_.y_u8 = spec.output_u8;
  call_.y_inverse_scale = 1.0F / spec.output.scale;
  call_.y_zero_point = static_cast<float>(spec.output.zero_point);
  // A zero times what is not finite is not zero.
  call_.skips = with_weights(w, [](const auto& values) {
    return std::all_of(values.begin(), values.end(), [](auto v) { return is_finite(v); });
  });
  const bool s8 = kind_ == LinearKind::s8;
  always_finite_ = s8 && x_u8_ && are_finite(call_.multiplier, w.bias, spec.slope, out_);
  prepared_ = in_ % packed_->inputs != 0 || x_u8_ != s8;
  padded_ = round_up(in_, kLinearGroup);
}

std::int64_t LinearLayer::prepared_bytes(std::int64_t rows) const {
  if (!prepared_) return 0;
  const std::int64_t element = kind_ == LinearKind::s8 ? 1 : sizeof(float);
  return round_up(rows * padded_ * element, 64);
}

std::int64_t LinearLayer::row_blocks(std::int64_t rows) const {
  if (packed_->narrow || packed_->is_sparse()) return 0;
  return kernels::Split(rows, table_->rows[static_cast<int>(kind_)]).blocks;
}

std::size_t LinearLayer::scratch_bytes(std::int64_t rows) const {
  constexpr std::int64_t kList = sizeof(kernels::KBlockList), kColumn = sizeof(std::int32_t);
  return static_cast<std::size_t>(
      prepared_bytes(rows) + row_blocks(rows) * (kList + kernels::list_columns(call_.k_blocks) * kColumn));
}

void LinearLayer::run(const LinearRows& r) const {
  require(r.rows >= 0, "linear", "rows must be at least 0; got ", r.rows);
  if (r.rows == 0) return;
  require(r.x_pitch >= in_ && r.y_pitch >= out_, "linear", "pitches must be at least in ", in_, " and out ",
          out_, "; got ", r.x_pitch, " and ", r.y_pitch);
  require(r.x != nullptr && r.y != nullptr && (r.scratch != nullptr || scratch_bytes(r.rows) == 0), "linear",
          "x, y and, where scratch_bytes is not 0, scratch must not be null");
  kernels::LinearCall call = call_;
  call.rows = r.rows;
  call.x = r.x;
  call.x_pitch = r.x_pitch;
  call.y = r.y;
  call.y_pitch = r.y_pitch;
  call.backwards = r.backwards;
  call.not_finite = always_finite_ ? nullptr : r.not_finite;
  call.lists =
      reinterpret_cast<kernels::KBlockList*>(static_cast<std::byte*>(r.scratch) + prepared_bytes(r.rows));
  call.list_columns = reinterpret_cast<std::int32_t*>(call.lists + row_blocks(r.rows));
  const auto kind = static_cast<int>(kind_);
  if (prepared_) {
    table_->prepare[kind]({r.rows, in_, padded_, r.x, r.x_pitch, x_u8_, input_.scale,
                           static_cast<float>(input_.zero_point), r.scratch, r.not_finite});
    call.x = r.scratch;
    call.x_pitch = padded_;
  }
  if (packed_->narrow) return table_->run_narrow(call);
  (packed_->is_sparse() ? table_->run_sparse : table_->run)[kind](call);
}

void softmax_rows(const kernels::SoftmaxRows& r, Isa isa) {
  require(r.rows >= 0 && r.n >= 1, "softmax_rows", "rows must be at least 0 and n at least 1; got ", r.rows,
          " and ", r.n);
  require(r.x_pitch >= r.n && r.y_pitch >= r.n, "softmax_rows", "pitches must be at least n ", r.n, "; got ",
          r.x_pitch, " and ", r.y_pitch);
  kernels::kernel_table(isa).linear.softmax_rows(r);
}

}  // namespace cbnet::runtime

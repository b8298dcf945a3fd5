// Resize and Upsample: along every axis a product with a constant matrix, whose row i says what element i of
// the output takes from the input. Elements that only repeat are joined with themselves instead.
#include <algorithm>
#include <cmath>

#include "models/kinds/common.h"
#include "models/kinds/concat.h"
#include "models/kinds/matmul.h"
#include "models/kinds/unflatten.h"
#include "models/onnx_reader.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

/// The matrix of an axis has at most so many elements.
constexpr std::int64_t kMaxMatrix = 1 << 24;
/// A nearest neighbour is repeated at most so often.
constexpr std::int64_t kMaxRepeats = 64;

/// This says how an output's element finds its place between those of the input.
struct Sampling {
  std::string mode = "nearest", coordinates = "asymmetric", nearest = "floor";
};

/// This is one axis: its size before and behind, and how many elements come from one.
struct ResizedAxis {
  std::int64_t in, out;
  double scale;

  /// Returns where element i of the output lies in the input.
  double place(const Sampling& sampling, std::int64_t i) const {
    const auto at = static_cast<double>(i);
    if (sampling.coordinates == "asymmetric") return at / scale;
    if (sampling.coordinates == "tf_half_pixel_for_nn") return (at + 0.5) / scale;
    if (sampling.coordinates == "align_corners")
      return out == 1 ? 0.0 : at * static_cast<double>(in - 1) / static_cast<double>(out - 1);
    if (sampling.coordinates == "pytorch_half_pixel" && out == 1) return 0.0;
    return (at + 0.5) / scale - 0.5;
  }

  std::int64_t neighbour(const Sampling& sampling, std::int64_t i) const {
    const double x = place(sampling, i);
    const double chosen = sampling.nearest == "floor"               ? std::floor(x)
                          : sampling.nearest == "ceil"              ? std::ceil(x)
                          : sampling.nearest == "round_prefer_ceil" ? std::floor(x + 0.5)
                                                                    : std::ceil(x - 0.5);
    return static_cast<std::int64_t>(std::clamp(chosen, 0.0, static_cast<double>(in - 1)));
  }

  /// How often every element is repeated, where that is all; else 0.
  std::int64_t repeats(const Sampling& sampling) const {
    if (sampling.mode != "nearest" || out % in != 0 || out / in > kMaxRepeats) return 0;
    for (std::int64_t i = 0; i < out; ++i)
      if (neighbour(sampling, i) != i / (out / in)) return 0;
    return out / in;
  }

  /// (out, in)
  Tensor matrix(const Sampling& sampling) const {
    Tensor weights = Tensor::zeros({out, in});
    for (std::int64_t i = 0; i < out; ++i) {
      float* row = weights.data<float>() + i * in;
      if (sampling.mode == "nearest") {
        row[neighbour(sampling, i)] = 1.0F;
        continue;
      }
      const double x = std::clamp(place(sampling, i), 0.0, static_cast<double>(in - 1));
      const auto left = static_cast<std::int64_t>(x);
      const double part = x - static_cast<double>(left);
      row[left] = static_cast<float>(1.0 - part);
      if (part > 0.0) row[left + 1] = static_cast<float>(part);
    }
    return weights;
  }
};

Sampling read_sampling(NodeReader& node) {
  Sampling out;
  out.mode = node.text("mode", "nearest");
  if (out.mode == "bilinear") out.mode = "linear";  // as opset 7 has it
  if (out.mode != "nearest" && out.mode != "linear")
    node.fail("attribute mode = nearest or linear", out.mode);
  if (node.op() == "Upsample" || node.opset() < 11) return out;
  out.coordinates = node.text("coordinate_transformation_mode", "half_pixel");
  out.nearest = node.text("nearest_mode", "round_prefer_floor");
  for (const char* known :
       {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn"})
    if (out.coordinates == known) return out;
  node.fail(
      "attribute coordinate_transformation_mode = half_pixel, pytorch_half_pixel, align_corners, asymmetric "
      "or "
      "tf_half_pixel_for_nn",
      out.coordinates);
}

/// A number for every axis that the node names, the batch included.
std::vector<double> read_scales(NodeReader& node) {
  if (node.has_attribute("scales")) {
    const std::vector<float> scales = node.numbers("scales");
    return {scales.begin(), scales.end()};
  }
  const std::size_t i = node.op() == "Upsample" || node.opset() < 11 ? 1 : 2;
  return node.has_input(i) ? node.constant(i).to_vector<double>() : std::vector<double>();
}

/// Returns the axes of a sample, as the node changes them.
std::vector<ResizedAxis> read_axes(NodeReader& node, const Sampling& sampling) {
  const Shape& sample = node.shape();
  std::vector<ResizedAxis> out;
  for (const std::int64_t size : sample) out.push_back({size, size, 1.0});
  const std::vector<double> scales = read_scales(node);
  const bool sized = scales.empty() && node.has_input(3);
  const std::vector<std::int64_t> sizes = sized ? node.integers(3) : std::vector<std::int64_t>();
  std::vector<std::int64_t> axes = node.integers("axes", {});
  for (std::size_t i = 0; axes.size() <= sample.size() && !node.has_attribute("axes"); ++i)
    axes.push_back(static_cast<std::int64_t>(i));
  if (axes.size() != (sized ? sizes.size() : scales.size()))
    node.fail(concat("scales or sizes of ", axes.size(), " axes"),
              concat(sized ? sizes.size() : scales.size()));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const bool of_batch = axes[i] == 0 || axes[i] == -static_cast<std::int64_t>(sample.size()) - 1;
    if (of_batch && (sized ? sizes[i] == OnnxLayers::kBatch || sizes[i] == node.batch() : scales[i] == 1.0))
      continue;
    ResizedAxis& axis = out[static_cast<std::size_t>(node.sample_axis(axes[i]))];
    const auto in = static_cast<double>(axis.in);
    axis.scale = sized ? static_cast<double>(sizes[i]) / in : scales[i];
    const double size = sized ? static_cast<double>(sizes[i]) : std::floor(in * axis.scale);
    if (!(size >= 1.0) || size * in > static_cast<double>(kMaxMatrix))
      node.fail("sizes that are not 0, nor too large", concat(size));
    axis.out = static_cast<std::int64_t>(size);
    // What these mean is not the same to all.
    if (sampling.coordinates == "align_corners" && size != in * axis.scale)
      node.fail("scales to whole sizes with align_corners", concat(axis.scale));
    if (sampling.mode == "nearest" && node.op() == "Resize" && node.opset() < 11 && axis.scale < 1.0)
      node.fail("scales of at least 1 before opset 11", concat(axis.scale));
  }
  return out;
}

void read_resize(NodeReader& node) {
  for (const char* unused : {"cubic_coeff_a", "exclude_outside", "extrapolation_value"}) node.ignore(unused);
  node.must_be("antialias", 0);
  if (node.text("keep_aspect_ratio_policy", "stretch") != "stretch")
    node.fail("attribute keep_aspect_ratio_policy = stretch", "another");
  const Sampling sampling = read_sampling(node);
  const std::vector<ResizedAxis> axes = read_axes(node, sampling);
  std::int64_t from = node.position(0);
  Shape shape = node.shape();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const ResizedAxis& axis = axes[i];
    if (axis.scale == 1.0) continue;
    shape[i] = axis.out;
    if (const std::int64_t repeats = axis.repeats(sampling); repeats > 0) {
      Shape apart = node.shape_at(from);
      apart.insert(apart.begin() + static_cast<std::ptrdiff_t>(i) + 1, 1);
      node.add(kinds::Unflatten{apart}, {from});
      const std::vector<std::int64_t> copies(static_cast<std::size_t>(repeats), node.last());
      node.add(kinds::Concat{.axis = static_cast<std::int64_t>(i) + 1}, copies);
      node.add(kinds::reshape_to(shape), {node.last()});
    } else {
      node.count_computed(axis.out * axis.in);
      kinds::add_product_along(node, from, static_cast<std::int64_t>(i), axis.matrix(sampling));
    }
    from = node.last();
  }
  if (from == node.position(0)) node.pass_on();
}

}  // namespace

void add_resize(OnnxReaders& readers) {
  readers.on("Resize", read_resize);
  readers.on("Upsample", read_resize);
}

}  // namespace cbnet

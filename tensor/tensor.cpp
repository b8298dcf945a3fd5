#include "tensor/tensor.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

#include "tensor/backend.h"

namespace cbnet {
namespace {

/// Replaces one -1 by the size that makes the element counts agree.
Shape resolve_shape(const Shape& wanted, std::int64_t numel_have, const char* where, const Shape& from) {
  Shape shape = wanted;
  std::int64_t known = 1;
  std::int64_t unknown = -1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1 && unknown < 0) {
      unknown = static_cast<std::int64_t>(i);
    } else {
      require(shape[i] >= 0, where, "at most one size may be -1; got ", wanted);
      require(!__builtin_mul_overflow(known, shape[i], &known), where, "too many elements; got ", wanted);
    }
  }
  if (unknown >= 0 && known > 0) shape[static_cast<std::size_t>(unknown)] = numel_have / known;
  require((unknown < 0 || known > 0) && numel(shape) == numel_have, where,
          "number of elements must not change; got ", from, " and ", wanted);
  return shape;
}

/// Returns strides that show `shape` over a tensor laid out as (from, strides), or nothing if a copy is
/// needed.
bool view_strides(const Shape& from, const std::vector<std::int64_t>& strides, const Shape& shape,
                  std::vector<std::int64_t>& out) {
  out.assign(shape.size(), 1);
  auto target = static_cast<std::int64_t>(shape.size()) - 1;
  for (std::int64_t axis = static_cast<std::int64_t>(from.size()) - 1; axis >= 0;) {
    // A run of source axes that is contiguous within itself…
    const std::int64_t base = strides[static_cast<std::size_t>(axis)];
    std::int64_t run = from[static_cast<std::size_t>(axis)];
    while (axis > 0 && (from[static_cast<std::size_t>(axis - 1)] == 1 ||
                        strides[static_cast<std::size_t>(axis - 1)] == run * base)) {
      run *= from[static_cast<std::size_t>(--axis)];
    }
    --axis;
    // …must be filled exactly by target axes.
    std::int64_t filled = 1;
    while (target >= 0 && (filled < run || shape[static_cast<std::size_t>(target)] == 1)) {
      out[static_cast<std::size_t>(target)] = filled * base;
      filled *= shape[static_cast<std::size_t>(target--)];
    }
    if (filled != run) return false;
  }
  return true;
}

/// Elements that share memory would be written by several threads at once.
void require_writable(const Tensor& target, const char* where) {
  for (std::size_t axis = 0; axis < target.shape().size(); ++axis) {
    require(target.shape()[axis] <= 1 || target.strides()[axis] != 0, where, "cannot write into ", target,
            ", whose elements repeat along axis ", axis, "; hint: clone it first");
  }
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  Tensor out;
  out.numel_ = cbnet::numel(shape);
  // 2^62 bytes are far from where rounding up to whole cache lines could wrap.
  constexpr std::int64_t kMaxBytes = std::int64_t{1} << 62;
  const std::size_t element_bytes = cbnet::size_bytes(dtype);
  require(out.numel_ <= kMaxBytes / static_cast<std::int64_t>(element_bytes), "tensor",
          "too many elements; got ", shape);
  out.storage_ = std::make_shared<Storage>(static_cast<std::size_t>(out.numel_) * element_bytes, device);
  out.shape_ = shape;
  out.strides_ = contiguous_strides(shape);
  out.dtype_ = dtype;
  return out;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor out = empty(shape, dtype, device);
  out.fill(value);
  return out;
}

namespace {

Tensor draw(RandomKind kind, const Shape& shape, double a, double b, Rng& rng, DType dtype, Device device) {
  Tensor out = Tensor::empty(shape, dtype, device);
  const RandomCall call{.dtype = dtype,
                        .kind = kind,
                        .state = rng.state(),
                        .a = a,
                        .b = b,
                        .count = out.numel(),
                        .y = out.address()};
  backend_of(device).random(call);
  rng.discard(call.draws());
  return out;
}

}  // namespace

Tensor Tensor::uniform(const Shape& shape, double low, double high, Rng& rng, DType dtype, Device device) {
  return draw(RandomKind::uniform, shape, low, high, rng, dtype, device);
}

Tensor Tensor::normal(const Shape& shape, double mean, double stddev, Rng& rng, DType dtype, Device device) {
  return draw(RandomKind::normal, shape, mean, stddev, rng, dtype, device);
}

std::int64_t Tensor::size(std::int64_t axis) const {
  return shape_[static_cast<std::size_t>(normalize_axis(axis, rank(), "tensor"))];
}

void Tensor::throw_undefined(const char* where) {
  throw std::invalid_argument(concat("[", where, "] undefined tensor (default-constructed or moved from)"));
}

bool Tensor::is_contiguous() const {
  check_defined("is_contiguous");
  std::int64_t stride = 1;
  for (std::size_t i = shape_.size(); i-- > 0;) {
    if (shape_[i] != 1 && strides_[i] != stride) return numel_ == 0;
    stride *= shape_[i];
  }
  return true;
}

void Tensor::check_readable(DType wanted) const {
  check_defined("data");
  require(dtype_ == wanted, "tensor", "expected ", to_string(wanted), "; got ", *this);
  require(is_host_readable(device()), "tensor", "the host cannot read the memory of the device ",
          to_string(device()), ", where ", *this, " is; hint: to(Device::cpu) copies it");
}

double Tensor::item() const {
  check_defined("item");
  require(numel_ == 1, "item", "expected one element; got ", *this);
  if (!is_host_readable(device())) return to(Device::cpu).item();
  return dispatch(dtype_, [&](auto zero) { return static_cast<double>(*data<decltype(zero)>()); });
}

double Tensor::at(std::initializer_list<std::int64_t> index) const {
  check_defined("at");
  require(static_cast<std::int64_t>(index.size()) == rank(), "at", "expected ", rank(), " indices; got ",
          index.size());
  std::int64_t offset = 0;
  std::size_t axis = 0;
  for (const std::int64_t i : index) {
    require(i >= 0 && i < shape_[axis], "at", "index ", i, " is outside axis ", axis, " of ", *this);
    offset += i * strides_[axis++];
  }
  return with_view({}, {}, offset_ + offset).item();
}

Tensor Tensor::with_view(Shape shape, std::vector<std::int64_t> strides, std::int64_t offset) const {
  Tensor out = *this;
  out.numel_ = cbnet::numel(shape);
  out.shape_ = std::move(shape);
  out.strides_ = std::move(strides);
  out.offset_ = offset;
  return out;
}

Tensor Tensor::view(const Shape& wanted) const {
  check_defined("view");
  const Shape shape = resolve_shape(wanted, numel_, "view", shape_);
  if (is_contiguous()) return with_view(shape, contiguous_strides(shape), offset_);
  std::vector<std::int64_t> strides;
  require(view_strides(shape_, strides_, shape, strides), "view", "the strides of ", *this, " do not allow ",
          shape, " without a copy; hint: use reshape");
  return with_view(shape, std::move(strides), offset_);
}

Tensor Tensor::reshape(const Shape& wanted) const {
  check_defined("reshape");
  const Shape shape = resolve_shape(wanted, numel_, "reshape", shape_);
  std::vector<std::int64_t> strides;
  if (!is_contiguous() && view_strides(shape_, strides_, shape, strides)) {
    return with_view(shape, std::move(strides), offset_);
  }
  return contiguous().view(shape);
}

Tensor Tensor::permute(const std::vector<std::int64_t>& axes) const {
  check_defined("permute");
  require(static_cast<std::int64_t>(axes.size()) == rank(), "permute", "expected ", rank(), " axes; got ",
          axes.size());
  Shape shape;
  std::vector<std::int64_t> strides;
  std::vector<bool> seen(axes.size(), false);
  for (const std::int64_t axis : axes) {
    const auto a = static_cast<std::size_t>(normalize_axis(axis, rank(), "permute"));
    require(!seen[a], "permute", "axis ", axis, " is named twice");
    seen[a] = true;
    shape.push_back(shape_[a]);
    strides.push_back(strides_[a]);
  }
  return with_view(std::move(shape), std::move(strides), offset_);
}

Tensor Tensor::transpose(std::int64_t axis_a, std::int64_t axis_b) const {
  check_defined("transpose");
  const auto a = static_cast<std::size_t>(normalize_axis(axis_a, rank(), "transpose"));
  const auto b = static_cast<std::size_t>(normalize_axis(axis_b, rank(), "transpose"));
  Tensor out = *this;
  std::swap(out.shape_[a], out.shape_[b]);
  std::swap(out.strides_[a], out.strides_[b]);
  return out;
}

Tensor Tensor::slice(std::int64_t axis, std::int64_t begin, std::int64_t end, std::int64_t step) const {
  check_defined("slice");
  const auto a = static_cast<std::size_t>(normalize_axis(axis, rank(), "slice"));
  require(begin >= 0 && begin <= end && end <= shape_[a] && step >= 1, "slice",
          "expected 0 <= begin <= end <= ", shape_[a], " and step >= 1; got ", begin, ", ", end, ", ", step);
  Shape shape = shape_;
  std::vector<std::int64_t> strides = strides_;
  step = std::min(step, std::max<std::int64_t>(end - begin, 1));  // a longer one takes the first alone, too
  shape[a] = (end - begin + step - 1) / step;
  strides[a] *= step;
  return with_view(std::move(shape), std::move(strides), offset_ + begin * strides_[a]);
}

Tensor Tensor::select(std::int64_t axis, std::int64_t index) const {
  check_defined("select");
  const std::int64_t a = normalize_axis(axis, rank(), "select");
  require(index >= 0 && index < size(a), "select", "index must be in [0, ", size(a), "); got ", index);
  return slice(a, index, index + 1).squeeze(a);
}

Tensor Tensor::expand(const Shape& wanted) const {
  check_defined("expand");
  require(broadcast_shapes(shape_, wanted, "expand") == wanted, "expand", shape_, " does not stretch to ",
          wanted);
  std::vector<std::int64_t> strides(wanted.size(), 0);
  const std::size_t lead = wanted.size() - shape_.size();
  for (std::size_t i = 0; i < shape_.size(); ++i) {
    strides[lead + i] = shape_[i] == wanted[lead + i] ? strides_[i] : 0;
  }
  return with_view(wanted, std::move(strides), offset_);
}

Tensor Tensor::unsqueeze(std::int64_t axis) const {
  check_defined("unsqueeze");
  const std::int64_t a = normalize_axis(axis, rank() + 1, "unsqueeze");
  Tensor out = *this;
  out.shape_.insert(out.shape_.begin() + a, 1);
  out.strides_.insert(out.strides_.begin() + a, 1);
  return out;
}

Tensor Tensor::squeeze(std::int64_t axis) const {
  check_defined("squeeze");
  const std::int64_t a = normalize_axis(axis, rank(), "squeeze");
  require(shape_[static_cast<std::size_t>(a)] == 1, "squeeze", "axis ", axis, " of ", *this,
          " must have size 1");
  Tensor out = *this;
  out.shape_.erase(out.shape_.begin() + a);
  out.strides_.erase(out.strides_.begin() + a);
  return out;
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor Tensor::clone() const {
  check_defined("clone");
  Tensor out = empty(shape_, *this);
  out.copy_from(*this);
  return out;
}

Tensor Tensor::to(DType wanted) const {
  check_defined("to");
  if (dtype_ == wanted) return *this;
  Tensor out = empty(shape_, wanted, device());
  out.copy_from(*this);
  return out;
}

Tensor Tensor::to(Device wanted) const {
  check_defined("to");
  if (device() == wanted) return *this;
  const Tensor dense = contiguous();
  Tensor out = empty(shape_, dtype_, wanted);
  const std::size_t size = static_cast<std::size_t>(numel_) * size_bytes(dtype_);
  auto* target = static_cast<std::byte*>(out.address());
  const auto* source = static_cast<const std::byte*>(dense.address());
  if (is_host_readable(device())) {
    backend_of(wanted).memory.copy_in(target, source, size);
  } else {
    backend_of(device()).memory.copy_out(target, source, size);
  }
  return out;
}

void Tensor::fill(double value) {
  check_defined("fill");
  require_writable(*this, "fill");
  backend_of(device()).fill(
      {.dtype = dtype_, .value = value, .shape = shape_, .target = address(), .strides = strides_});
}

/// Copies elements; allocates nothing where both are dense, so that restoring many tensors cannot stop
/// between two of them.
void Tensor::copy_from(const Tensor& source) {
  check_defined("copy_from");
  source.check_defined("copy_from");
  require_writable(*this, "copy_from");
  require_same_device(*this, source, "copy_from");
  const auto copy = [&](const std::vector<std::int64_t>& source_strides) {
    if (shares_storage(source) && offset_ == source.offset_ && strides_ == source_strides) return;
    backend_of(device()).copy({.dtype = dtype_,
                               .source_dtype = source.dtype_,
                               .shape = shape_,
                               .source = source.address(),
                               .target = address(),
                               .source_strides = source_strides,
                               .target_strides = strides_});
  };
  if (shape_ == source.shape_) {
    copy(source.strides_);
  } else {
    copy(source.expand(shape_).strides_);
  }
}

void Tensor::add_scaled(const Tensor& other, double alpha) {
  check_defined("add_scaled");
  other.check_defined("add_scaled");
  require(shape_ == other.shape_ && dtype_ == other.dtype_, "add_scaled",
          "shapes and dtypes must match; got ", *this, " and ", other);
  require(is_floating(dtype_), "add_scaled", "expected f32 or f64; got ", to_string(dtype_));
  require_writable(*this, "add_scaled");
  require_same_device(*this, other, "add_scaled");
  backend_of(device()).add_scaled({.dtype = dtype_,
                                   .alpha = alpha,
                                   .shape = shape_,
                                   .source = other.address(),
                                   .target = address(),
                                   .source_strides = other.strides_,
                                   .target_strides = strides_});
}

void Tensor::scale(double factor) {
  check_defined("scale");
  require(is_floating(dtype_), "scale", "expected f32 or f64; got ", to_string(dtype_));
  require_writable(*this, "scale");
  backend_of(device()).pointwise({.dtype = dtype_,
                                  .function = Pointwise::scale,
                                  .a = factor,
                                  .shape = shape_,
                                  .x = std::as_const(*this).address(),
                                  .y = address(),
                                  .x_strides = strides_,
                                  .y_strides = strides_});
}

void require_same_device(const Tensor& a, const Tensor& b, const char* where) {
  require(a.device() == b.device(), where, "all tensors must be on one device; got ", a, " on ",
          to_string(a.device()), " and ", b, " on ", to_string(b.device()), "; hint: to(device) copies");
}

std::string describe(const Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  return concat(to_string(tensor.dtype()), " ", to_string(tensor.shape()));
}

std::int64_t first_outside(const Tensor& tensor, double low, double high) {
  const Tensor dense = tensor.contiguous();
  std::int64_t found = -1;
  backend_of(dense.device())
      .find_outside({.dtype = dense.dtype(),
                     .count = dense.numel(),
                     .low = low,
                     .high = high,
                     .x = dense.address(),
                     .found = &found});
  return found;
}

bool all_finite(const Tensor& tensor) {
  constexpr double kMax = std::numeric_limits<double>::max();
  return !is_floating(tensor.dtype()) || first_outside(tensor, -kMax, kMax) < 0;
}

}  // namespace cbnet

#include "tensor/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "tensor/kernels/strided.h"
#include "tensor/parallel.h"

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

/// Strides that show `shape` over a tensor laid out as (from, strides), or nothing if a copy is needed.
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

template <class To, class From>
void copy_elements(const Tensor& source, Tensor& target) {
  const From* s = source.data<From>();
  To* t = target.data<To>();
  kernels::for_each_row<2>(target.shape(), {target.strides(), source.strides()},
                           [&](const std::int64_t* offsets, const std::int64_t* strides, std::int64_t count) {
                             To* to = t + offsets[0];
                             const From* from = s + offsets[1];
                             if constexpr (std::is_same_v<To, From>) {
                               if (strides[0] == 1 && strides[1] == 1) {
                                 std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(To));
                                 return;
                               }
                             }
                             for (std::int64_t i = 0; i < count; ++i) {
                               to[i * strides[0]] = static_cast<To>(from[i * strides[1]]);
                             }
                           });
}

/// Elements that share memory would be written by several threads at once.
void require_writable(const Tensor& target, const char* where) {
  for (std::size_t axis = 0; axis < target.shape().size(); ++axis) {
    require(target.shape()[axis] <= 1 || target.strides()[axis] != 0, where, "cannot write into ", target,
            ", whose elements repeat along axis ", axis, "; hint: clone it first");
  }
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType dtype) {
  Tensor out;
  out.numel_ = cbnet::numel(shape);
  // 2^62 bytes: far from where rounding up to whole cache lines could wrap.
  constexpr std::int64_t kMostBytes = std::int64_t{1} << 62;
  const std::size_t element_bytes = cbnet::size_bytes(dtype);
  require(out.numel_ <= kMostBytes / static_cast<std::int64_t>(element_bytes), "tensor",
          "too many elements; got ", shape);
  out.storage_ = std::make_shared<Storage>(static_cast<std::size_t>(out.numel_) * element_bytes);
  out.shape_ = shape;
  out.strides_ = contiguous_strides(shape);
  out.dtype_ = dtype;
  return out;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype) {
  Tensor out = empty(shape, dtype);
  out.fill(value);
  return out;
}

Tensor Tensor::uniform(const Shape& shape, double low, double high, Rng& rng, DType dtype) {
  Tensor out = empty(shape, dtype);
  dispatch_floating(dtype, "uniform", [&](auto zero) {
    using T = decltype(zero);
    T* values = out.data<T>();
    for (std::int64_t i = 0; i < out.numel(); ++i) {
      values[i] = static_cast<T>(low + (high - low) * rng.uniform());
    }
  });
  return out;
}

Tensor Tensor::normal(const Shape& shape, double mean, double stddev, Rng& rng, DType dtype) {
  Tensor out = empty(shape, dtype);
  dispatch_floating(dtype, "normal", [&](auto zero) {
    using T = decltype(zero);
    T* values = out.data<T>();
    for (std::int64_t i = 0; i < out.numel(); ++i) values[i] = static_cast<T>(mean + stddev * rng.normal());
  });
  return out;
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

void Tensor::check_dtype(DType wanted) const {
  check_defined("data");
  require(dtype_ == wanted, "tensor", "expected ", to_string(wanted), "; got ", *this);
}

double Tensor::item() const {
  check_defined("item");
  require(numel_ == 1, "item", "expected one element; got ", *this);
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
  return dispatch(dtype_, [&](auto zero) { return static_cast<double>(data<decltype(zero)>()[offset]); });
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
  Tensor out = empty(shape_, dtype_);
  out.copy_from(*this);
  return out;
}

Tensor Tensor::to(DType wanted) const {
  check_defined("to");
  if (dtype_ == wanted) return *this;
  Tensor out = empty(shape_, wanted);
  out.copy_from(*this);
  return out;
}

void Tensor::fill(double value) {
  check_defined("fill");
  require_writable(*this, "fill");
  dispatch(dtype_, [&](auto zero) {
    using T = decltype(zero);
    T* first = data<T>();
    const T typed = static_cast<T>(value);
    kernels::for_each_row<1>(
        shape_, {strides_},
        [&](const std::int64_t* offsets, const std::int64_t* strides, std::int64_t count) {
          T* row = first + offsets[0];
          for (std::int64_t i = 0; i < count; ++i) row[i * strides[0]] = typed;
        });
  });
}

/// Allocates nothing, so that restoring many tensors cannot stop between two of them.
void Tensor::copy_dense(const Tensor& source) {
  if (storage_ == source.storage_ && offset_ == source.offset_) return;
  dispatch(dtype_, [&](auto zero) {
    using T = decltype(zero);
    constexpr std::int64_t kGrainElements = 1 << 15;
    parallel_for(numel_, kGrainElements,
                 [to = data<T>(), from = source.data<T>()](std::int64_t begin, std::int64_t end) {
                   std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin) * sizeof(T));
                 });
  });
}

void Tensor::copy_from(const Tensor& source) {
  check_defined("copy_from");
  source.check_defined("copy_from");
  require_writable(*this, "copy_from");
  if (dtype_ == source.dtype_ && shape_ == source.shape_ && is_contiguous() && source.is_contiguous()) {
    copy_dense(source);
    return;
  }
  const Tensor stretched = source.expand(shape_);
  if (shares_storage(source) && offset_ == source.offset_ && strides_ == stretched.strides_) return;
  dispatch(dtype_, [&](auto to) {
    dispatch(source.dtype(),
             [&](auto from) { copy_elements<decltype(to), decltype(from)>(stretched, *this); });
  });
}

void Tensor::add_scaled(const Tensor& other, double alpha) {
  check_defined("add_scaled");
  other.check_defined("add_scaled");
  require(shape_ == other.shape_ && dtype_ == other.dtype_, "add_scaled",
          "shapes and dtypes must match; got ", *this, " and ", other);
  require_writable(*this, "add_scaled");
  dispatch_floating(dtype_, "add_scaled", [&](auto zero) {
    using T = decltype(zero);
    T* target = data<T>();
    const T* source = other.data<T>();
    const T factor = static_cast<T>(alpha);
    kernels::for_each_row<2>(
        shape_, {strides_, other.strides_},
        [&](const std::int64_t* offsets, const std::int64_t* strides, std::int64_t count) {
          T* t = target + offsets[0];
          const T* s = source + offsets[1];
          for (std::int64_t i = 0; i < count; ++i) {
            t[i * strides[0]] += factor * s[i * strides[1]];
          }
        });
  });
}

void Tensor::scale(double factor) {
  check_defined("scale");
  require_writable(*this, "scale");
  dispatch_floating(dtype_, "scale", [&](auto zero) {
    using T = decltype(zero);
    T* first = data<T>();
    const T typed = static_cast<T>(factor);
    kernels::for_each_row<1>(
        shape_, {strides_},
        [&](const std::int64_t* offsets, const std::int64_t* strides, std::int64_t count) {
          T* row = first + offsets[0];
          for (std::int64_t i = 0; i < count; ++i) row[i * strides[0]] *= typed;
        });
  });
}

std::string describe(const Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  return concat(to_string(tensor.dtype()), " ", to_string(tensor.shape()));
}

bool all_finite(const Tensor& tensor) {
  if (!is_floating(tensor.dtype())) return true;
  const Tensor dense = tensor.contiguous();
  return dispatch_floating(dense.dtype(), "all_finite", [&](auto zero) {
    using T = decltype(zero);
    const T* values = dense.data<T>();
    for (std::int64_t i = 0; i < dense.numel(); ++i) {
      if (!std::isfinite(values[i])) return false;
    }
    return true;
  });
}

}  // namespace cbnet

#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/error.h"
#include "tensor/rng.h"
#include "tensor/shape.h"
#include "tensor/storage.h"

namespace cbnet {

/// A Tensor is a strided view of shared storage: copying a Tensor copies the view, never the elements.
/// Wrong use throws std::invalid_argument with the shapes in its text.
class Tensor {
 public:
  /// Makes an undefined tensor, without storage and shape. defined(), shares_storage() and assignment work;
  /// everything else throws. A tensor that was moved from is undefined too.
  Tensor() = default;
  Tensor(const Tensor&) = default;
  Tensor(Tensor&& other) noexcept { swap(other); }
  /// `other` is a value, so that a copy that finds no memory leaves this tensor as it was.
  Tensor& operator=(Tensor other) noexcept {
    swap(other);
    return *this;
  }
  ~Tensor() = default;

  /// Elements are not initialised.
  static Tensor empty(const Shape& shape, DType dtype = DType::f32, Device device = default_device());
  /// Makes one of the dtype and on the device of another tensor.
  static Tensor empty(const Shape& shape, const Tensor& like) {
    return empty(shape, like.dtype(), like.device());
  }
  static Tensor full(const Shape& shape, double value, DType dtype = DType::f32,
                     Device device = default_device());
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = default_device()) {
    return full(shape, 0.0, dtype, device);
  }
  static Tensor ones(const Shape& shape, DType dtype = DType::f32, Device device = default_device()) {
    return full(shape, 1.0, dtype, device);
  }
  /// Draws uniformly in [low, high), where rounding to f32 may reach high; normal with the given mean and
  /// standard deviation. f32 or f64.
  static Tensor uniform(const Shape& shape, double low, double high, Rng& rng = default_rng(),
                        DType dtype = DType::f32, Device device = default_device());
  static Tensor normal(const Shape& shape, double mean, double stddev, Rng& rng = default_rng(),
                       DType dtype = DType::f32, Device device = default_device());

  /// Copies `values`, whose count must be numel(shape).
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape, Device device = default_device()) {
    require(static_cast<std::int64_t>(values.size()) == cbnet::numel(shape), "tensor",
            "number of values must match the shape; got ", values.size(), " and ", shape);
    Tensor out = empty(shape, DTypeOf<T>::value, is_host_readable(device) ? device : Device::cpu);
    T* target = out.data<T>();
    for (std::size_t i = 0; i < values.size(); ++i) target[i] = values[i];
    return out.to(device);
  }
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape, Device device = default_device()) {
    return from(std::span<const T>(values), shape, device);
  }
  template <class T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape, Device device = default_device()) {
    return from(std::span<const T>(values.begin(), values.size()), shape, device);
  }

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const {
    check_defined("shape");
    return shape_;
  }
  /// Strides are in elements.
  const std::vector<std::int64_t>& strides() const {
    check_defined("strides");
    return strides_;
  }
  std::int64_t rank() const {
    check_defined("rank");
    return static_cast<std::int64_t>(shape_.size());
  }
  /// Returns the size along `axis`, which may be negative.
  std::int64_t size(std::int64_t axis) const;
  std::int64_t numel() const {
    check_defined("numel");
    return numel_;
  }
  DType dtype() const {
    check_defined("dtype");
    return dtype_;
  }
  Device device() const {
    check_defined("device");
    return storage_->device();
  }
  bool is_contiguous() const;
  bool shares_storage(const Tensor& other) const { return defined() && storage_ == other.storage_; }

  /// Moves with every write to the storage that this tensor views, through any view of it. Two equal versions
  /// mean that nothing was written between them.
  std::uint64_t version() const {
    check_defined("version");
    return storage_->version();
  }

  /// Returns the first element of this view; throws when T is not the dtype, and when the host cannot read
  /// the device's memory. Index with strides() unless is_contiguous(). A pointer to write through counts as a
  /// write, in version(), when it is asked for: read through a const Tensor (std::as_const), and ask again
  /// for each time that the elements change.
  template <class T>
  T* data() {
    check_readable(DTypeOf<T>::value);
    storage_->count_write();
    return reinterpret_cast<T*>(storage_->data()) + offset_;
  }
  template <class T>
  const T* data() const {
    check_readable(DTypeOf<T>::value);
    return reinterpret_cast<const T*>(storage_->data()) + offset_;
  }
  /// Does the same for the backend of this tensor's device, of any dtype and where the host cannot read it.
  void* address() {
    check_defined("address");
    storage_->count_write();
    return storage_->data() + offset_bytes();
  }
  const void* address() const {
    check_defined("address");
    return storage_->data() + offset_bytes();
  }

  // Copies of elements, which come from any device: each waits until that has computed them.

  /// Returns the only element, as a double.
  double item() const;
  /// Returns one element, as a double; for tests and small reads.
  double at(std::initializer_list<std::int64_t> index) const;
  /// Returns all elements in row-major order, converted to T.
  template <class T>
  std::vector<T> to_vector() const {
    if (!is_host_readable(device())) return to(Device::cpu).to_vector<T>();
    const Tensor dense = to(DTypeOf<T>::value).contiguous();
    const T* first = dense.data<T>();
    return std::vector<T>(first, first + dense.numel_);
  }

  // These are views: no element is copied.

  /// Throws when the strides do not allow the shape without a copy. One size may be -1.
  Tensor view(const Shape& shape) const;
  Tensor permute(const std::vector<std::int64_t>& axes) const;
  Tensor transpose(std::int64_t axis_a, std::int64_t axis_b) const;
  /// Returns the elements begin, begin + step, … below end, along `axis`.
  Tensor slice(std::int64_t axis, std::int64_t begin, std::int64_t end, std::int64_t step = 1) const;
  /// Returns one index along `axis`, which disappears.
  Tensor select(std::int64_t axis, std::int64_t index) const;
  /// Repeats sizes of 1 (and missing leading axes) with stride 0.
  Tensor expand(const Shape& shape) const;
  Tensor unsqueeze(std::int64_t axis) const;
  Tensor squeeze(std::int64_t axis) const;

  // These copy where they must.

  /// Returns a view where the strides allow it, a copy otherwise. One size may be -1.
  Tensor reshape(const Shape& shape) const;
  /// Returns this tensor when it is row-major already, a copy otherwise.
  Tensor contiguous() const;
  /// Returns a contiguous copy, always.
  Tensor clone() const;
  /// Returns this tensor when it has the dtype, a converted copy otherwise. Floats are truncated towards
  /// zero.
  Tensor to(DType dtype) const;
  /// Returns this tensor when it is on the device, a contiguous copy there otherwise.
  Tensor to(Device device) const;

  // These work in place. All throw for a tensor whose elements share memory (expand).

  void fill(double value);
  /// Copies and converts the elements of `source`, which must broadcast to this shape, on one device. Nothing
  /// is allocated where both are contiguous and of one shape and dtype.
  void copy_from(const Tensor& source);
  /// Computes this += alpha * other; same shape and dtype, floating.
  void add_scaled(const Tensor& other, double alpha = 1.0);
  /// Computes this *= factor; floating.
  void scale(double factor);

 private:
  void check_defined(const char* where) const {
    if (!defined()) throw_undefined(where);
  }
  [[noreturn]] static void throw_undefined(const char* where);
  void check_readable(DType wanted) const;
  std::int64_t offset_bytes() const { return offset_ * static_cast<std::int64_t>(size_bytes(dtype_)); }
  void swap(Tensor& other) noexcept {
    storage_.swap(other.storage_);
    shape_.swap(other.shape_);
    strides_.swap(other.strides_);
    std::swap(offset_, other.offset_);
    std::swap(numel_, other.numel_);
    std::swap(dtype_, other.dtype_);
  }
  Tensor with_view(Shape shape, std::vector<std::int64_t> strides, std::int64_t offset) const;

  std::shared_ptr<Storage> storage_;
  Shape shape_;
  std::vector<std::int64_t> strides_;
  std::int64_t offset_ = 0;
  std::int64_t numel_ = 0;
  DType dtype_ = DType::f32;
};

/// Throws "[where] ..." unless both are on one device.
void require_same_device(const Tensor& a, const Tensor& b, const char* where);

/// Describes a tensor as error messages do: "f32 (2,3)".
std::string describe(const Tensor& tensor);

/// Returns the position, in row-major order, of the first element that is not in [low, high], or -1.
std::int64_t first_outside(const Tensor& tensor, double low, double high);

/// Tells whether every element is finite (always true for integers).
bool all_finite(const Tensor& tensor);

}  // namespace cbnet

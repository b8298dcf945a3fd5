#pragma once

#include <onnx/onnx_pb.h>

#include <map>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace cbnet {

/// The attributes of one node. What was not asked for is not supported: require_all_known() refuses it.
class Attributes {
 public:
  Attributes(const onnx::NodeProto& node, std::string source);

  std::int64_t integer(const std::string& name, std::int64_t usual);
  double number(const std::string& name, double usual);
  std::string text(const std::string& name, const std::string& usual);
  std::vector<std::int64_t> integers(const std::string& name, std::vector<std::int64_t> usual);
  /// The one value of a list whose values are all the same, as of a square kernel.
  std::int64_t same(const std::string& name, std::size_t count, std::int64_t usual);
  /// An attribute that may only have one value.
  void must_be(const std::string& name, std::int64_t value);
  void ignore(const std::string& name) { known_.push_back(name); }
  void require_all_known() const;

  /// Throws InputError: "node 'x' (Conv): …".
  [[noreturn]] void fail(const std::string& expected, const std::string& found) const;

 private:
  const onnx::AttributeProto* find(const std::string& name, onnx::AttributeProto::AttributeType type);

  const onnx::NodeProto& node_;
  std::string source_;
  std::vector<std::string> known_;
};

/// "'conv1' (Conv)"; a node without a name is called after what it makes.
std::string node_name(const onnx::NodeProto& node);

/// An initializer or a Constant of FLOAT or DOUBLE as f32, of INT64 as i64. InputError when sizes and bytes
/// disagree, for other types, and for data in other files.
Tensor tensor_of(const onnx::TensorProto& proto, const std::string& source);

}  // namespace cbnet

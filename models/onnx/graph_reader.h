#pragma once

#include <onnx/onnx_pb.h>

#include <string>

#include "models/onnx_node.h"

namespace cbnet {

/// A node in words that need no ONNX library. A tensor among its attributes is read as tensor_of does.
OnnxNode node_of(const onnx::NodeProto& proto, const std::string& source);

/// An initializer or a Constant of FLOAT or DOUBLE as f32, of INT64 as i64. InputError when sizes and bytes
/// disagree, for other types, and for data in other files.
Tensor tensor_of(const onnx::TensorProto& proto, const std::string& source);

}  // namespace cbnet

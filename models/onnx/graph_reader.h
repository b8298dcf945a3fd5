#pragma once

#include <onnx/onnx_pb.h>

#include <filesystem>
#include <string>

#include "models/onnx_node.h"

namespace cbnet {

/// A file and the data in other files that belong to it may be this large.
inline constexpr std::size_t kOnnxLimitBytes = std::size_t{1} << 30;

/// Turns what an ONNX file holds into words that need no ONNX library.
class ProtoReader {
 public:
  /// `source` names the file in errors. Data in other files are looked for in `folder`; where it is empty,
  /// there are none.
  explicit ProtoReader(std::string source, std::filesystem::path folder = {})
      : source_(std::move(source)), folder_(std::move(folder)) {}

  /// A tensor among its attributes is read as `tensor` does.
  OnnxNode node(const onnx::NodeProto& proto);

  /// An initializer or a Constant of FLOAT or DOUBLE as f32, of INT32, INT64 or BOOL as i64; `name` is what
  /// errors call it. InputError when sizes and bytes disagree, for other types, and where the data should be
  /// in another file that is missing, too short, or outside the folder.
  Tensor tensor(const onnx::TensorProto& proto, const std::string& name);

 private:
  std::string external_bytes(const onnx::TensorProto& proto, std::size_t needed, const std::string& where);

  std::string source_;
  std::filesystem::path folder_;
  std::size_t bytes_read_ = 0;  // from other files
};

}  // namespace cbnet

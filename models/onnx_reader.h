#pragma once

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/onnx_node.h"
#include "models/spec.h"
#include "tensor/windows.h"

namespace cbnet {

class OnnxLayers;

/// One node of an ONNX graph that is to become a layer. An attribute that nobody asked for is not supported,
/// and refused.
class NodeReader {
 public:
  NodeReader(OnnxLayers& to, const OnnxNode& node, bool has_batch)
      : to_(to), node_(node), has_batch_(has_batch), seen_(node.inputs.size(), -1) {}

  const std::string& op() const { return node_.op; }
  std::int64_t opset() const;

  std::int64_t integer(const std::string& name, std::int64_t usual);
  double number(const std::string& name, double usual);
  std::string text(const std::string& name, const std::string& usual);
  std::vector<std::int64_t> integers(const std::string& name, const std::vector<std::int64_t>& usual);
  std::vector<float> numbers(const std::string& name);
  Tensor tensor(const std::string& name);  // undefined where there is none
  /// An attribute that may only have one value.
  void must_be(const std::string& name, std::int64_t value);
  /// The attribute `axes`, which is input 1 from opset `since` on; none where it is left out.
  std::optional<std::vector<std::int64_t>> axes(std::int64_t since);
  bool has_attribute(const std::string& name) const;
  void ignore(const std::string& name) { known_.push_back(name); }
  void require_all_known() const;

  std::size_t input_count() const { return node_.inputs.size(); }
  std::size_t output_count() const { return node_.outputs.size(); }
  bool has_output(std::size_t i) const { return i < node_.outputs.size() && !node_.outputs[i].empty(); }
  /// Outputs besides the first, which nothing here makes, must not be asked for.
  void require_one_output() const;
  bool has_input(std::size_t i) const { return i < node_.inputs.size() && !node_.inputs[i].empty(); }
  bool is_constant(std::size_t i) const;
  /// There are inputs, and they are constants.
  bool reads_constants() const;
  const Tensor& constant(std::size_t i) const;
  /// A constant of i64, one number or a list.
  std::vector<std::int64_t> integers(std::size_t i) const;
  /// The position of the layer that makes input i.
  std::int64_t position(std::size_t i) const;
  /// From here on input 0, a line, is seen as a plane, by a layer that is added for it.
  void see_line_as(const Shape& plane);
  /// Input 0 is a line that is seen as a plane of one row.
  bool sees_line() const { return sees_line_; }
  /// Returns the position of the layer that was added last.
  std::int64_t last() const;
  /// Returns the shape of one sample of input i.
  const Shape& shape(std::size_t i = 0) const;
  /// Returns the shape of one sample of the value at `position`.
  const Shape& shape_at(std::int64_t position) const;
  /// Returns the shape of one sample of what the layer that was added last makes.
  const Shape& last_shape() const { return shape_at(last()); }
  /// Returns the batch size that the graph declares; -1 when it leaves it open.
  std::int64_t batch() const;
  /// Returns how many axes stand in front of those of a sample: 1, the batch, or 0, where all axes are of one
  /// image.
  std::int64_t batch_axes() const { return has_batch_ ? 1 : 0; }
  /// Returns the shape of input i, with the batch.
  Shape full_shape(std::size_t i) const;
  /// `axis` of input i with its batch axis, which may be negative, as one of a sample.
  std::int64_t sample_axis(std::int64_t axis, std::size_t i = 0) const;

  /// Zeros that a Pad node puts around input 0 for this node alone: taken away from there where `accepts`
  /// says that the layer can do it by itself, else none.
  Padding2d take_padding(const std::function<bool(const Padding2d&)>& accepts);

  /// Appends a layer that reads input 0, or what stands at `positions`. Output `output` is what it makes.
  void add(LayerSpec layer) { add(std::move(layer), {position(0)}); }
  void add(LayerSpec layer, std::vector<std::int64_t> positions, std::size_t output = 0);
  /// The same behind the layer that was added last for this node, if there is one.
  void then(LayerSpec layer) { add(std::move(layer), {has_added_ ? last() : position(0)}); }
  /// A weight of the layer that was added last.
  void weight(const std::string& part, Tensor value);
  /// The node makes what input 0 is.
  void pass_on();
  /// From here on all inputs that are computed have a batch axis, or none, as batch_axes says: one of size 1
  /// comes or goes by layers that are added. Throws InputError where there is none.
  void see_batch_axes();
  void make_constant(Tensor value);
  /// Throws InputError when constants that nobody stored would get too large with so many elements more.
  void count_computed(std::int64_t elements) const;

  /// Throws InputError: "node 'x' (Conv): …".
  [[noreturn]] void fail(const std::string& expected, const std::string& found) const;

 private:
  template <class T>
  const T* find(const std::string& name, const char* type);

  OnnxLayers& to_;
  const OnnxNode& node_;
  const bool has_batch_;
  std::vector<std::string> known_;
  bool has_added_ = false, sees_line_ = false;
  std::vector<std::int64_t> seen_;  // by input: the position of what stands for it, or -1
};

/// What the ops of ONNX become, by name.
class OnnxReaders {
 public:
  using Read = std::function<void(NodeReader&)>;
  using TryRead = std::function<bool(NodeReader&)>;
  /// The first reads nodes to layers, the second those of constants alone to constants; one may be missing.
  /// The first may be given values without a batch axis only if it says so: it then asks for batch_axes.
  struct Op {
    Read layers = {}, constants = {};
    bool takes_arrays = false;
    std::vector<TryRead> special_cases = {};
  };
  /// The readers of all layer kinds, and of the ops that become none.
  static const OnnxReaders& all();

  void on(const std::string& op, Read read) { table_[op].layers = std::move(read); }
  void on_arrays(const std::string& op, Read read) {
    on(op, std::move(read));
    table_[op].takes_arrays = true;
  }
  void on_constants(const std::string& op, Read read) { table_[op].constants = std::move(read); }
  /// Nodes that are a layer only with certain inputs or attributes: `read` goes before the op's own reader,
  /// which gets what it answers false to.
  void on_special_case(const std::string& op, TryRead read) {
    table_[op].special_cases.push_back(std::move(read));
  }
  const std::map<std::string, Op>& table() const { return table_; }

 private:
  std::map<std::string, Op> table_;
};

/// The layers that the nodes of a graph have become so far.
class OnnxLayers {
 public:
  /// What a name stands for: a layer's output by position, or a constant.
  struct Value {
    std::int64_t position = -1;
    Tensor constant = {};
    bool has_batch = true;  // as its first axis, which is none of its sample
    bool is_constant() const { return constant.defined(); }
  };

  OnnxLayers(std::string source, std::int64_t opset) : source_(std::move(source)), opset_(opset) {}

  /// This stands for the number of images where it is open, among the sizes that a Shape node gives.
  static constexpr std::int64_t kBatch = std::numeric_limits<std::int64_t>::min();

  /// What the network's input is: images, or one, whose batch axis of size 1 is then an axis like others, or
  /// one without a batch axis.
  enum class Input { images, one_image, array };
  /// The network's input, called `name`. batch: as the graph declares it, or -1.
  void set_input(const std::string& name, const Shape& input, std::int64_t batch, Input is = Input::images);
  void set_constant(const std::string& name, Tensor value) { values_[name] = {-1, std::move(value)}; }
  /// From here on `name` stands for what the last layer makes.
  void rename(const std::string& name) {
    Value& value = values_[name];
    value.position = static_cast<std::int64_t>(spec.trunk.size());
    value.constant = {};
  }
  /// Returns how many nodes read it, the caller of the graph included.
  void count_reader(const std::string& name) { ++readers_[name]; }
  bool knows(const std::string& name) const { return values_.contains(name); }
  /// Whether `name` stands for what the last layer makes.
  bool is_last(const std::string& name) const;

  /// Throws InputError, naming the node, for what no layer can do.
  void read(const OnnxNode& node);
  /// A layer that no node asked for.
  void add(LayerSpec layer);
  /// Takes the batch axis of what the last layer makes away, where it is one of its sample.
  void drop_batch_of(const std::string& name);
  /// A weight of the layer that was added last.
  void weight(const std::string& part, Tensor value);

  NetworkSpec spec;
  StateDict weights;

 private:
  friend class NodeReader;
  void add(LayerSpec layer, std::vector<std::int64_t> positions, const std::string& node,
           const std::string& output);
  void read(const OnnxNode& node, const OnnxReaders::Op& op, bool has_batch);

  std::string source_;
  std::int64_t opset_;
  std::int64_t batch_ = -1;
  bool one_image_ = false;
  std::map<std::string, Value> values_;
  std::map<std::string, int> readers_;
  std::int64_t computed_ = 0;  // elements of constants
  std::vector<Shape> shapes_;  // of one sample, by position
};

/// The ops that several layers make together, and those of constants.
void add_compositions(OnnxReaders& readers);
void add_functions(OnnxReaders& readers);
void add_resize(OnnxReaders& readers);
void add_constant_ops(OnnxReaders& readers);

/// "'conv1' (Conv)"; a node without a name is called after what it makes.
std::string node_name(const OnnxNode& node);

}  // namespace cbnet

#include "models/onnx_reader.h"

#include <algorithm>

#include "models/kinds/pad.h"
#include "models/kinds/unflatten.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

constexpr std::size_t kMaxLayers = 1'000;
constexpr std::int64_t kMaxComputed = std::int64_t{1} << 26;

/// Dropout and Identity change nothing in evaluation.
void pass_on(NodeReader& node) {
  node.ignore("ratio");
  node.ignore("seed");
  node.ignore("is_test");
  if (node.op() == "Dropout" && node.has_input(2) && (!node.is_constant(2) || node.constant(2).item() != 0.0))
    node.fail("dropout of evaluation", "an input that may ask for training");
  node.pass_on();
}

}  // namespace

std::string node_name(const OnnxNode& node) {
  std::string name = node.name;
  if (name.empty() && !node.outputs.empty()) name = node.outputs.front();
  return "'" + name + "' (" + node.op + ")";
}

const OnnxReaders& OnnxReaders::all() {
  static const OnnxReaders kAll = [] {
    OnnxReaders out;
    for (const LayerKind& kind : layer_kinds()) kind.read_onnx(out);
    out.on_arrays("Dropout", pass_on);
    out.on_arrays("Identity", pass_on);
    add_compositions(out);
    add_functions(out);
    add_resize(out);
    add_constant_ops(out);
    return out;
  }();
  return kAll;
}

// ---- one node

void NodeReader::fail(const std::string& expected, const std::string& found) const {
  throw InputError(concat(to_.source_, ": node ", node_name(node_)), expected, found);
}

std::int64_t NodeReader::opset() const { return to_.opset_; }
std::int64_t NodeReader::batch() const { return to_.batch_; }

template <class T>
const T* NodeReader::find(const std::string& name, const char* type) {
  known_.push_back(name);
  for (const auto& [key, value] : node_.attributes) {
    if (key != name) continue;
    const T* found = std::get_if<T>(&value);
    if (found == nullptr) fail(concat("attribute ", name, " of type ", type), "another type");
    return found;
  }
  return nullptr;
}

std::int64_t NodeReader::integer(const std::string& name, std::int64_t usual) {
  const auto* found = find<std::int64_t>(name, "INT");
  return found == nullptr ? usual : *found;
}

double NodeReader::number(const std::string& name, double usual) {
  const auto* found = find<float>(name, "FLOAT");
  return found == nullptr ? usual : static_cast<double>(*found);
}

std::string NodeReader::text(const std::string& name, const std::string& usual) {
  const auto* found = find<std::string>(name, "STRING");
  return found == nullptr ? usual : *found;
}

std::vector<std::int64_t> NodeReader::integers(const std::string& name,
                                               const std::vector<std::int64_t>& usual) {
  const auto* found = find<std::vector<std::int64_t>>(name, "INTS");
  return found == nullptr ? usual : *found;
}

std::vector<float> NodeReader::numbers(const std::string& name) {
  const auto* found = find<std::vector<float>>(name, "FLOATS");
  return found == nullptr ? std::vector<float>() : *found;
}

std::optional<std::vector<std::int64_t>> NodeReader::axes(std::int64_t since) {
  if (opset() >= since) return has_input(1) ? std::optional(integers(1)) : std::nullopt;
  const auto* found = find<std::vector<std::int64_t>>("axes", "INTS");
  return found == nullptr ? std::nullopt : std::optional(*found);
}

Tensor NodeReader::tensor(const std::string& name) {
  const auto* found = find<Tensor>(name, "TENSOR");
  return found == nullptr ? Tensor() : *found;
}

void NodeReader::must_be(const std::string& name, std::int64_t value) {
  const std::int64_t found = integer(name, value);
  if (found != value) fail(concat("attribute ", name, " = ", value), concat(found));
}

bool NodeReader::has_attribute(const std::string& name) const {
  return std::any_of(node_.attributes.begin(), node_.attributes.end(),
                     [&](const auto& attribute) { return attribute.first == name; });
}

void NodeReader::require_all_known() const {
  for (const auto& [name, value] : node_.attributes) {
    if (std::find(known_.begin(), known_.end(), name) == known_.end())
      fail("no attributes besides those that cbnet knows", concat("'", name, "'"));
  }
}

void NodeReader::require_one_output() const {
  for (std::size_t i = 1; i < node_.outputs.size(); ++i) {
    if (!node_.outputs[i].empty()) fail("one output", concat(node_.outputs.size()));
  }
}

bool NodeReader::is_constant(std::size_t i) const {
  if (!has_input(i)) fail(concat("an input ", i), "none");
  const auto found = to_.values_.find(node_.inputs[i]);
  if (found == to_.values_.end())
    fail("inputs that are made before they are read", concat("'", node_.inputs[i], "'"));
  return found->second.is_constant();
}

const Tensor& NodeReader::constant(std::size_t i) const {
  if (!is_constant(i))
    fail(concat("input ", i, " to be a constant"), concat("'", node_.inputs[i], "', computed"));
  return to_.values_.at(node_.inputs[i]).constant;
}

bool NodeReader::reads_constants() const {
  bool any = false;
  for (std::size_t i = 0; i < input_count(); ++i) {
    if (!has_input(i)) continue;
    if (!is_constant(i)) return false;
    any = true;
  }
  return any;
}

std::vector<std::int64_t> NodeReader::integers(std::size_t i) const {
  const Tensor& value = constant(i);
  if (value.dtype() != DType::i64 || value.rank() > 1)
    fail(concat("input ", i, " to be a list of integers"), describe(value));
  return value.to_vector<std::int64_t>();
}

std::int64_t NodeReader::position(std::size_t i) const {
  if (is_constant(i))
    fail(concat("input ", i, " to come from the network's input"),
         concat("the constant '", node_.inputs[i], "'"));
  return seen_[i] >= 0 ? seen_[i] : to_.values_.at(node_.inputs[i]).position;
}

void NodeReader::see_line_as(const Shape& plane) {
  add(kinds::reshape_to(plane));
  seen_[0] = last();
  sees_line_ = true;
}

void NodeReader::see_batch_axes() {
  for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
    if (!has_input(i) || is_constant(i) || to_.values_.at(node_.inputs[i]).has_batch == has_batch_) continue;
    Shape sample = shape(i);
    if (!has_batch_)
      sample.insert(sample.begin(), 1);
    else if (sample.size() < 2 || sample[0] != 1)
      fail("a batch of one image in front", to_string(sample));
    else
      sample.erase(sample.begin());
    to_.add(kinds::reshape_to(sample), {position(i)}, node_name(node_), "");
    seen_[i] = last();
  }
}

std::int64_t NodeReader::last() const { return static_cast<std::int64_t>(to_.spec.trunk.size()); }

const Shape& NodeReader::shape(std::size_t i) const { return shape_at(position(i)); }

const Shape& NodeReader::shape_at(std::int64_t position) const {
  return to_.shapes_.at(static_cast<std::size_t>(position));
}

Shape NodeReader::full_shape(std::size_t i) const {
  if (is_constant(i)) return constant(i).shape();
  Shape out = shape(i);
  if (to_.values_.at(node_.inputs[i]).has_batch)
    out.insert(out.begin(), batch() > 0 ? batch() : OnnxLayers::kBatch);
  return out;
}

std::int64_t NodeReader::sample_axis(std::int64_t axis, std::size_t i) const {
  const std::int64_t rank = static_cast<std::int64_t>(shape(i).size()) + batch_axes();
  const std::int64_t at = axis < 0 ? axis + rank : axis;
  if (at < batch_axes() || at >= rank) fail("an axis behind the batch", concat("axis ", axis, " of ", rank));
  return at - batch_axes();
}

Padding2d NodeReader::take_padding(const std::function<bool(const Padding2d&)>& accepts) {
  if (position(0) != last() || last() == 0) return 0;
  const std::string& name = node_.inputs[0];
  if (to_.readers_[name] != 1) return 0;
  const LayerSpec pad = to_.spec.trunk.back();
  const auto* fields = pad.as<kinds::Pad>();
  const auto around = fields == nullptr ? std::nullopt : fields->of_planes();
  if (!around || !accepts(*around)) return 0;
  to_.values_[name].position = inputs_of(pad, to_.spec.trunk.size() - 1)[0];
  to_.spec.trunk.pop_back();
  to_.shapes_.pop_back();
  return *around;
}

void NodeReader::add(LayerSpec layer, std::vector<std::int64_t> positions, std::size_t output) {
  has_added_ = true;
  to_.add(std::move(layer), std::move(positions), node_name(node_),
          has_output(output) ? node_.outputs[output] : "");
  if (has_output(output)) to_.values_.at(node_.outputs[output]).has_batch = has_batch_;
}

void NodeReader::weight(const std::string& part, Tensor value) { to_.weight(part, std::move(value)); }

void NodeReader::pass_on() {
  is_constant(0);  // throws where there is nothing to pass on
  if (!node_.outputs.empty())
    to_.values_[node_.outputs[0]] = OnnxLayers::Value(to_.values_.at(node_.inputs[0]));
}

void NodeReader::make_constant(Tensor value) {
  count_computed(value.numel());
  if (!node_.outputs.empty()) to_.set_constant(node_.outputs[0], std::move(value));
}

void NodeReader::count_computed(std::int64_t elements) const {
  to_.computed_ += elements;
  if (to_.computed_ > kMaxComputed)
    fail(concat("constants of at most ", kMaxComputed, " elements together"), "more");
}

// ---- all nodes

void OnnxLayers::set_input(const std::string& name, const Shape& input, std::int64_t batch, Input is) {
  spec.input = input;
  batch_ = batch;
  one_image_ = is != Input::images;
  shapes_ = {input};
  values_[name] = {0, {}, is != Input::array};
}

bool OnnxLayers::is_last(const std::string& name) const {
  const auto found = values_.find(name);
  return found != values_.end() && !found->second.is_constant() &&
         found->second.position == static_cast<std::int64_t>(spec.trunk.size());
}

void OnnxLayers::drop_batch_of(const std::string& name) {
  const Shape made = shapes_.back();
  if (!values_.at(name).has_batch && made.size() > 1 && made[0] == 1)
    add(kinds::reshape_to({made.begin() + 1, made.end()}));
}

void OnnxLayers::read(const OnnxNode& node) {
  const OnnxReaders::Op& op = OnnxReaders::all().table().at(node.op);
  if (!one_image_) return read(node, op, true);
  // With the batch axis where some input has one, and if that is refused in the other way.
  bool has_batch = !op.takes_arrays;
  for (const std::string& name : node.inputs) {
    const auto found = values_.find(name);
    has_batch =
        has_batch || (found != values_.end() && !found->second.is_constant() && found->second.has_batch);
  }
  const auto layers = static_cast<std::ptrdiff_t>(spec.trunk.size());
  const std::size_t tensors = weights.size();
  try {
    return read(node, op, has_batch);
  } catch (const InputError&) {
    if (!op.takes_arrays) throw;
    spec.trunk.erase(spec.trunk.begin() + layers, spec.trunk.end());
    shapes_.resize(static_cast<std::size_t>(layers) + 1);
    weights.erase(weights.begin() + static_cast<std::ptrdiff_t>(tensors), weights.end());
    for (const std::string& name : node.outputs) values_.erase(name);
  }
  read(node, op, !has_batch);
}

void OnnxLayers::read(const OnnxNode& node, const OnnxReaders::Op& op, bool has_batch) {
  NodeReader reader(*this, node, has_batch);
  try {
    if (op.constants && (!op.layers || reader.reads_constants())) {
      op.constants(reader);
    } else {
      reader.see_batch_axes();
      const auto tried = [&](const OnnxReaders::TryRead& read) { return read(reader); };
      if (std::ranges::none_of(op.special_cases, tried)) op.layers(reader);
    }
  } catch (const std::invalid_argument& error) {
    reader.fail("constants that fit", error.what());
  }
  reader.require_all_known();
}

void OnnxLayers::add(LayerSpec layer) {
  add(std::move(layer), {static_cast<std::int64_t>(spec.trunk.size())}, "''", "");
}

void OnnxLayers::add(LayerSpec layer, std::vector<std::int64_t> positions, const std::string& node,
                     const std::string& output) {
  const std::size_t last = spec.trunk.size();
  if (last >= kMaxLayers) throw InputError(source_, concat("at most ", kMaxLayers, " layers"), "more");
  if (positions.size() != 1 || positions[0] != static_cast<std::int64_t>(last))
    layer.inputs = std::move(positions);
  spec.trunk.push_back(std::move(layer));
  try {
    // One layer's shape, not all of them again: this is a loop over nodes.
    shapes_.push_back(next_shape(spec.trunk.back(), last, shapes_));
  } catch (const std::invalid_argument& error) {
    throw InputError(concat(source_, ": node ", node), "sizes that fit", error.what());
  }
  if (!output.empty()) rename(output);
}

void OnnxLayers::weight(const std::string& part, Tensor value) {
  weights.emplace_back(concat("trunk.", spec.trunk.size() - 1, ".", part), std::move(value));
}

}  // namespace cbnet

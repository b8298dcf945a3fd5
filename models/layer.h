#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "layers/init.h"
#include "layers/module.h"
#include "tensor/rng.h"
#include "tensor/shape.h"
#include "tensor/windows.h"

// This header has a layer of a network as data, and what every layer kind is asked. A kind is a struct of its
// fields in models/kinds/<name>.h, which models/layers.def lists; CBNET_LAYER_PARTS declares what it consists
// of. Shapes are of one sample, without the batch axis.

namespace cbnet {

class Lowering;     // models/lowering.h
class OnnxWriter;   // models/onnx_writer.h
class OnnxReaders;  // models/onnx_reader.h
class LayerSpec;
using LayerSpecs = std::vector<LayerSpec>;
using Shapes = std::span<const Shape>;

/// A visitor does something with the fields of a layer, one after the other.
class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;
  virtual void operator()(const char* name, std::int64_t& value) = 0;
  virtual void operator()(const char* name, bool& value) = 0;
  virtual void operator()(const char* name, double& value) = 0;
  virtual void operator()(const char* name, std::string& value) = 0;
  virtual void operator()(const char* name, Pair& value) = 0;
  virtual void operator()(const char* name, Padding2d& value) = 0;
  virtual void operator()(const char* name, std::vector<std::int64_t>& value) = 0;
  virtual void operator()(const char* name, LayerSpecs& value) = 0;
};

struct Cost {
  std::int64_t macs = 0;  // multiply-adds of one sample, padding zeros included
  std::int64_t parameters = 0;
};

/// A new network draws from these: separate streams of one seed, so that a change to one use does not shift
/// the other's numbers.
struct Randomness {
  Rng& weights;
  Rng& dropout;
};

struct BuildContext {
  Shapes in;
  Randomness from;
  Init init;
  DType dtype;
};

/// This is what trains: `run` takes what the layer reads, with the batch axis. `module` owns the parameters;
/// null where there are none.
struct BuiltLayer {
  using Run = std::function<Variable(std::span<const Variable>)>;

  explicit BuiltLayer(const std::shared_ptr<Module>& layer)
      : module(layer), run([layer](std::span<const Variable> in) { return layer->forward(in[0]); }) {}
  explicit BuiltLayer(Run function) : run(std::move(function)) {}
  explicit BuiltLayer(Variable (*function)(const Variable&))
      : run([function](std::span<const Variable> in) { return function(in[0]); }) {}

  std::shared_ptr<Module> module;
  Run run;
};

/// These are the fields of one layer, whatever its kind.
class Layer {
 public:
  virtual ~Layer() = default;
  virtual const char* kind() const = 0;
  virtual std::unique_ptr<Layer> clone() const = 0;
  virtual bool equals(const Layer& other) const = 0;
  virtual void visit_fields(FieldVisitor& visit) = 0;
  virtual Shape infer(Shapes in) const = 0;
  virtual Cost cost(Shapes in, const Shape& out) const = 0;
  virtual BuiltLayer build(const BuildContext& context) const = 0;
  virtual std::int32_t lower(Lowering& to) const = 0;
  virtual std::string write_onnx(OnnxWriter& to) const = 0;
};

template <class Kind>
class LayerOf final : public Layer {
 public:
  explicit LayerOf(Kind fields) : fields_(std::move(fields)) {}
  const Kind& fields() const { return fields_; }
  const char* kind() const override { return Kind::kName; }
  std::unique_ptr<Layer> clone() const override { return std::make_unique<LayerOf>(fields_); }
  bool equals(const Layer& other) const override {
    const auto* same = dynamic_cast<const LayerOf*>(&other);
    return same != nullptr && same->fields_ == fields_;
  }
  void visit_fields(FieldVisitor& visit) override { fields_.visit_fields(visit); }
  Shape infer(Shapes in) const override { return fields_.infer(in); }
  Cost cost(Shapes in, const Shape& out) const override { return fields_.cost(in, out); }
  BuiltLayer build(const BuildContext& context) const override { return fields_.build(context); }
  std::int32_t lower(Lowering& to) const override { return fields_.lower(to); }
  std::string write_onnx(OnnxWriter& to) const override { return fields_.write_onnx(to); }

 private:
  Kind fields_;
};

/// This is one layer: a kind with its fields, and what it reads. Input sizes are no part of it: they follow
/// from where it stands. `network.trunk = {kinds::Flatten{}, kinds::Linear{.out = 10}}`.
class LayerSpec {
 public:
  template <class Kind>
  requires requires { Kind::kName; }
  LayerSpec(Kind fields, std::vector<std::int64_t> reads = {})  // NOLINT(google-explicit-constructor)
      : inputs(std::move(reads)), layer_(std::make_shared<LayerOf<Kind>>(std::move(fields))) {}
  explicit LayerSpec(std::unique_ptr<Layer> layer) : layer_(std::move(layer)) {}

  const Layer& operator*() const { return *layer_; }
  const Layer* operator->() const { return layer_.get(); }
  /// Returns the fields, where it is of that kind; else null.
  template <class Kind>
  const Kind* as() const {
    const auto* layer = dynamic_cast<const LayerOf<Kind>*>(layer_.get());
    return layer == nullptr ? nullptr : &layer->fields();
  }
  template <class Kind>
  bool is() const {
    return as<Kind>() != nullptr;
  }
  friend bool operator==(const LayerSpec& a, const LayerSpec& b) {
    return a.inputs == b.inputs && a.layer_->equals(*b.layer_);
  }

  /// It reads these positions in its list: 0 is what the list is given, i + 1 what its layer i makes.
  /// Empty, as in most networks: what the layer before it makes.
  std::vector<std::int64_t> inputs;

 private:
  std::shared_ptr<const Layer> layer_;
};

/// This is one line of layers.def.
struct LayerKind {
  const char* name;
  std::unique_ptr<Layer> (*make)();  // with its fields at their defaults
  void (*read_onnx)(OnnxReaders& readers);
};

/// Returns all of layers.def, in its order.
std::span<const LayerKind> layer_kinds();

/// Makes a layer of the kind called `name` with its fields at their defaults. Throws std::invalid_argument
/// for an unknown name.
std::unique_ptr<Layer> make_layer(const std::string& name);

/// Describes a layer as "conv2d 5, kernel_size 5, padding 3": the kind and the fields that are not at their
/// defaults.
std::string describe(const LayerSpec& layer);

}  // namespace cbnet

/// A kind has these parts, in its struct behind the fields; models/kinds/<name>.cpp defines them:
///   visit_fields  the fields, each once: for JSON in and out and for descriptions
///   infer         the shape rule; throws std::invalid_argument
///   cost          for one sample
///   build         for training: a module, or a function alone
///   lower         for inference: the nodes of runtime/graph.h, and the value that they make
///   write_onnx    the ONNX nodes, and the name of what they make
///   read_onnx     which ONNX ops become this kind, and how
#define CBNET_LAYER_PARTS(name, Type)                  \
  static constexpr const char* kName = name;           \
  void visit_fields(FieldVisitor& visit);              \
  Shape infer(Shapes in) const;                        \
  Cost cost(Shapes in, const Shape& made) const;       \
  BuiltLayer build(const BuildContext& context) const; \
  std::int32_t lower(Lowering& to) const;              \
  std::string write_onnx(OnnxWriter& to) const;        \
  static void read_onnx(OnnxReaders& readers);         \
  friend bool operator==(const Type&, const Type&) = default;

/// This goes into models/kinds/<name>.cpp: what layers.def refers to.
#define CBNET_LAYER_KIND(name, Type)                                                       \
  namespace cbnet::kinds {                                                                 \
  LayerKind name##_kind() {                                                                \
    return {Type::kName, [] { return std::unique_ptr<Layer>(new LayerOf<Type>(Type())); }, \
            [](OnnxReaders& readers) { Type::read_onnx(readers); }};                       \
  }                                                                                        \
  }

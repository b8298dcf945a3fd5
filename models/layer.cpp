#include "models/layer.h"

#include <array>

#include "tensor/error.h"

namespace cbnet {
namespace kinds {
#define LAYER(name, Type) LayerKind name##_kind();
#include "models/layers.def"
#undef LAYER
}  // namespace kinds

namespace {

std::string text_of(const Pair& pair) {
  return pair.is_square() ? concat(pair.h) : concat(pair.h, "x", pair.w);
}

/// Collects fields as "name value", by name.
class Texts : public FieldVisitor {
 public:
  void operator()(const char* name, std::int64_t& value) override { add(name, concat(value)); }
  void operator()(const char* name, bool& value) override { add(name, value ? "yes" : "no"); }
  void operator()(const char* name, double& value) override { add(name, concat(value)); }
  void operator()(const char* name, std::string& value) override { add(name, value); }
  void operator()(const char* name, Pair& value) override { add(name, text_of(value)); }
  void operator()(const char* name, Padding2d& value) override {
    const Pair each(value.top, value.left);
    const bool one_sided = !value.is_symmetric();
    add(name, one_sided ? to_string(Shape{value.top, value.left, value.bottom, value.right}) : text_of(each));
  }
  void operator()(const char* name, std::vector<std::int64_t>& value) override {
    add(name, to_string(value));
  }
  void operator()(const char*, LayerSpecs&) override {}  // listed as layers of their own

  std::vector<std::pair<std::string, std::string>> all;

 private:
  void add(const char* name, std::string text) { all.emplace_back(name, std::move(text)); }
};

}  // namespace

std::span<const LayerKind> layer_kinds() {
  static const std::array kKinds = {
#define LAYER(name, Type) kinds::name##_kind(),
#include "models/layers.def"
#undef LAYER
  };
  return kKinds;
}

std::unique_ptr<Layer> make_layer(const std::string& name) {
  for (const LayerKind& kind : layer_kinds()) {
    if (name == kind.name) return kind.make();
  }
  throw std::invalid_argument(concat("[spec] unknown layer kind '", name, "'"));
}

std::string describe(const LayerSpec& layer) {
  Texts usual, own;
  make_layer(layer->kind())->visit_fields(usual);
  layer->clone()->visit_fields(own);
  std::string text = layer->kind();
  for (std::size_t i = 0; i < own.all.size(); ++i) {
    const auto& [name, value] = own.all[i];
    if (value == usual.all[i].second) continue;
    text += name == "out" ? " " + value : concat(", ", name, " ", value);
  }
  for (std::size_t i = 0; i < layer.inputs.size(); ++i)
    text += concat(i == 0 ? " of " : ", ", layer.inputs[i]);
  return text;
}

}  // namespace cbnet

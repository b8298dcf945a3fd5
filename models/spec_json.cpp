#include "models/spec.h"

#include <algorithm>

#include "models/json.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

constexpr const char* kInitNames[] = {"lecun_normal", "glorot_uniform", "he_normal"};
constexpr int kMaxDepth = 8;
constexpr std::size_t kMaxLayers = 1'000;  // of one sequence, and exits

Json layers_to_json(const LayerSpecs& layers);
LayerSpecs layers_from_json(const Json& json, int depth);

/// Writes fields as JSON values. Directions that are equal are one number.
class FieldWriter : public FieldVisitor {
 public:
  void operator()(const char* name, std::int64_t& value) override { out[name] = value; }
  void operator()(const char* name, bool& value) override { out[name] = value; }
  void operator()(const char* name, double& value) override { out[name] = value; }
  void operator()(const char* name, std::string& value) override { out[name] = value; }
  void operator()(const char* name, Pair& value) override { out[name] = to_json(value); }
  void operator()(const char* name, Padding2d& value) override {
    if (value.is_symmetric())
      out[name] = to_json(Pair(value.top, value.left));
    else
      out[name] = {value.top, value.left, value.bottom, value.right};
  }
  void operator()(const char* name, std::vector<std::int64_t>& value) override { out[name] = value; }
  void operator()(const char* name, LayerSpecs& value) override { out[name] = layers_to_json(value); }

  Json out = Json::object();

 private:
  static Json to_json(const Pair& value) {
    return value.is_square() ? Json(value.h) : Json({value.h, value.w});
  }
};

/// Reads the fields that an object holds; the others stay as they are.
class FieldReader : public FieldVisitor {
 public:
  FieldReader(const Json& json, int depth) : json_(json), depth_(depth) {}

  void operator()(const char* name, std::int64_t& value) override {
    if (const Json* found = find(name)) get_whole(*found, value);
  }
  void operator()(const char* name, bool& value) override {
    if (const Json* found = find(name)) found->get_to(value);
  }
  void operator()(const char* name, double& value) override {
    if (const Json* found = find(name)) found->get_to(value);
  }
  void operator()(const char* name, std::string& value) override {
    if (const Json* found = find(name)) found->get_to(value);
  }
  void operator()(const char* name, Pair& value) override {
    if (const Json* found = find(name)) value = to_pair(name, *found);
  }
  void operator()(const char* name, Padding2d& value) override {
    const Json* found = find(name);
    if (found == nullptr) return;
    if (!found->is_array() || found->size() != 4) {
      value = to_pair(name, *found);
      return;
    }
    std::vector<std::int64_t> sides;
    get_whole(*found, sides);
    value = {sides[0], sides[1], sides[2], sides[3]};
  }
  void operator()(const char* name, std::vector<std::int64_t>& value) override {
    if (const Json* found = find(name)) get_whole(*found, value);
  }
  void operator()(const char* name, LayerSpecs& value) override {
    if (const Json* found = find(name)) value = layers_from_json(*found, depth_ + 1);
  }

  bool knows(const std::string& name) const {
    return std::find(known_.begin(), known_.end(), name) != known_.end();
  }

 private:
  const Json* find(const char* name) {
    known_.emplace_back(name);
    const auto at = json_.find(name);
    return at == json_.end() ? nullptr : &*at;
  }

  static Pair to_pair(const char* name, const Json& json) {
    if (json.is_array()) {
      std::vector<std::int64_t> both;
      get_whole(json, both);
      require(both.size() == 2, "spec", name, " needs one number or one for each direction; got ", both);
      return {both[0], both[1]};
    }
    std::int64_t size = 0;
    get_whole(json, size);
    return size;
  }

  const Json& json_;
  int depth_;
  std::vector<std::string> known_;
};

/// Only what differs from the defaults is written, so that a stored network reads like the published one.
Json layer_to_json(const LayerSpec& layer) {
  FieldWriter usual, own;
  make_layer(layer->kind())->visit_fields(usual);
  layer->clone()->visit_fields(own);
  Json out{{"kind", layer->kind()}};
  if (!layer.inputs.empty()) out["inputs"] = layer.inputs;
  for (const auto& [name, value] : own.out.items()) {
    if (value != usual.out[name]) out[name] = value;
  }
  return out;
}

Json layers_to_json(const LayerSpecs& layers) {
  Json out = Json::array();
  for (const LayerSpec& layer : layers) out.push_back(layer_to_json(layer));
  return out;
}

/// Renames fields that files of version 0.1 call otherwise.
Json renamed(Json json) {
  const auto rename = [&](const char* kind, const char* before, const char* now) {
    if (json.at("kind") != kind || !json.contains(before)) return;
    json[now] = json[before];
    json.erase(before);
  };
  rename("leaky_relu", "p", "slope");
  rename("transpose", "shape", "axes");
  return json;
}

LayerSpec layer_from_json(const Json& given, int depth) {
  require(depth < kMaxDepth, "spec", "layers are nested deeper than ", kMaxDepth);
  require(given.is_object(), "spec", "a layer must be an object; got ", given.type_name());
  const Json json = renamed(given);
  std::unique_ptr<Layer> layer = make_layer(json.at("kind").get<std::string>());
  FieldReader reader(json, depth);
  layer->visit_fields(reader);
  for (const auto& [key, value] : json.items())
    require(key == "kind" || key == "inputs" || reader.knows(key), "spec", "unknown key '", key, "' in a ",
            layer->kind());
  LayerSpec out(std::move(layer));
  if (json.contains("inputs")) get_whole(json["inputs"], out.inputs);
  return out;
}

LayerSpecs layers_from_json(const Json& json, int depth) {
  require(json.is_array() && json.size() <= kMaxLayers, "spec", "layers must be an array of at most ",
          kMaxLayers, "; got ", json.type_name(), " of ", json.size());
  LayerSpecs out;
  for (const Json& layer : json) out.push_back(layer_from_json(layer, depth));
  return out;
}

}  // namespace

std::string to_json(const NetworkSpec& network) {
  Json exits = Json::array();
  for (const ExitSpec& exit : network.exits) {
    exits.push_back({{"after", exit.after}, {"branch", layers_to_json(exit.branch)}});
  }
  return Json{{"name", network.name},
              {"input", network.input},
              {"trunk", layers_to_json(network.trunk)},
              {"exits", std::move(exits)},
              {"init", kInitNames[static_cast<int>(network.init)]}}
      .dump();
}

NetworkSpec network_spec_from_json(const std::string& text) {
  try {
    const Json json = parse_json(text);
    NetworkSpec network;
    json.at("name").get_to(network.name);
    get_whole(json.at("input"), network.input);
    network.trunk = layers_from_json(json.at("trunk"), 0);
    require(json.at("exits").size() <= kMaxLayers, "spec", "expected at most ", kMaxLayers, " exits");
    for (const Json& exit : json.at("exits")) {
      network.exits.push_back({0, layers_from_json(exit.at("branch"), 0)});
      get_whole(exit.at("after"), network.exits.back().after);
    }
    const auto init = json.at("init").get<std::string>();
    const auto* found = std::find(std::begin(kInitNames), std::end(kInitNames), init);
    require(found != std::end(kInitNames), "spec", "unknown initialisation '", init, "'");
    network.init = static_cast<Init>(found - std::begin(kInitNames));
    static_cast<void>(layer_costs(network));
    return network;
  } catch (const Json::exception& error) {
    throw InputError("network description", "the JSON of a network", error.what());
  } catch (const std::invalid_argument& error) {
    throw InputError("network description", "a network whose sizes fit", error.what());
  }
}

}  // namespace cbnet

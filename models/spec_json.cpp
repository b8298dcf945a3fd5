#include "models/spec.h"

#include "models/json.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

constexpr const char* kInitNames[] = {"lecun_normal", "glorot_uniform", "he_normal"};
constexpr int kMaxDepth = 8;
constexpr std::size_t kMaxLayers = 1'000;  // of one sequence, and exits

// Only what differs from the defaults is written, so that a stored network reads like the published one.
Json layer_to_json(const LayerSpec& layer);

Json layers_to_json(const LayerSpecs& layers) {
  Json out = Json::array();
  for (const LayerSpec& layer : layers) out.push_back(layer_to_json(layer));
  return out;
}

Json layer_to_json(const LayerSpec& layer) {
  const LayerSpec plain;
  Json out{{"kind", to_string(layer.kind)}};
  const auto put = [&](const char* key, const auto& value, const auto& usual) {
    if (value != usual) out[key] = value;
  };
  put("inputs", layer.inputs, plain.inputs);
  put("out", layer.out, plain.out);
  put("kernel_size", layer.kernel_size, plain.kernel_size);
  put("stride", layer.stride, plain.stride);
  put("padding", layer.padding, plain.padding);
  put("dilation", layer.dilation, plain.dilation);
  put("groups", layer.groups, plain.groups);
  put("bias", layer.bias, plain.bias);
  put("ceil_mode", layer.ceil_mode, plain.ceil_mode);
  put("count_include_pad", layer.count_include_pad, plain.count_include_pad);
  put("p", layer.p, plain.p);
  put("epsilon", layer.epsilon, plain.epsilon);
  put("axis", layer.axis, plain.axis);
  put("shape", layer.shape, plain.shape);
  if (!layer.body.empty()) out["body"] = layers_to_json(layer.body);
  if (!layer.shortcut.empty()) out["shortcut"] = layers_to_json(layer.shortcut);
  return out;
}

LayerSpecs layers_from_json(const Json& json, int depth);

LayerSpec layer_from_json(const Json& json, int depth) {
  require(depth < kMaxDepth, "spec", "layers are nested deeper than ", kMaxDepth);
  require(json.is_object(), "spec", "a layer must be an object; got ", json.type_name());
  LayerSpec layer;
  layer.kind = parse_layer_kind(json.at("kind").get<std::string>());
  for (const auto& [key, value] : json.items()) {
    if (key == "kind") continue;
    if (key == "inputs")
      get_whole(value, layer.inputs);
    else if (key == "out")
      get_whole(value, layer.out);
    else if (key == "kernel_size")
      get_whole(value, layer.kernel_size);
    else if (key == "stride")
      get_whole(value, layer.stride);
    else if (key == "padding")
      get_whole(value, layer.padding);
    else if (key == "dilation")
      get_whole(value, layer.dilation);
    else if (key == "groups")
      get_whole(value, layer.groups);
    else if (key == "bias")
      value.get_to(layer.bias);
    else if (key == "ceil_mode")
      value.get_to(layer.ceil_mode);
    else if (key == "count_include_pad")
      value.get_to(layer.count_include_pad);
    else if (key == "p")
      value.get_to(layer.p);
    else if (key == "epsilon")
      value.get_to(layer.epsilon);
    else if (key == "axis")
      get_whole(value, layer.axis);
    else if (key == "shape")
      get_whole(value, layer.shape);
    else if (key == "body")
      layer.body = layers_from_json(value, depth + 1);
    else if (key == "shortcut")
      layer.shortcut = layers_from_json(value, depth + 1);
    else
      require(false, "spec", "unknown key '", key, "' in a ", to_string(layer.kind));
  }
  return layer;
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

#include "models/checkpoint.h"

#include <cmath>

#include "models/json.h"
#include "models/safetensors.h"

namespace cbnet {
namespace {

constexpr const char* kFormatVersion = "1";
constexpr const char* kNormalisedVersion = "2";
constexpr auto kReplace = Json::error_handler_t::replace;

/// A file says this where the network reads the pixels themselves.
constexpr const char* kPixels = "pixels / 255";

Normalisation normalisation_from(const std::string& text) {
  if (text == kPixels) return {};
  const Json json = parse_json(text);
  return {json.at("mean").get<std::vector<double>>(), json.at("deviation").get<std::vector<double>>()};
}

}  // namespace

std::string to_text(const Normalisation& normalisation) {
  if (!normalisation.any()) return kPixels;
  return Json{{"mean", normalisation.mean}, {"deviation", normalisation.deviation}}.dump();
}

void save_model(const std::filesystem::path& path, const Network& network, const ModelInfo& info) {
  require(info.thresholds.size() <= network.spec().exits.size(), "save_model",
          "more thresholds than side exits");
  SafetensorsFile file;
  file.metadata = {{"format", "pt"},  // what other readers of the format look for
                                      // Older programs would leave the normalisation out.
                   {"cbnet.version", info.normalisation.any() ? kNormalisedVersion : kFormatVersion},
                   {"cbnet.model", info.model},
                   {"cbnet.dataset", info.dataset},
                   {"cbnet.network", to_json(network.spec())},
                   {"cbnet.normalisation", to_text(info.normalisation)},
                   {"cbnet.thresholds", Json(info.thresholds).dump()},
                   {"cbnet.rescale", Json(info.rescale).dump()},
                   {"cbnet.provenance", info.provenance}};
  if (!info.classes.empty())
    file.metadata.emplace_back("cbnet.classes", Json(info.classes).dump(-1, ' ', false, kReplace));
  file.tensors = network.state_dict();
  write_safetensors(path, file);
}

Model load_model(const std::filesystem::path& path) {
  const SafetensorsFile file = read_safetensors(path);
  const auto metadata = [&](const char* key) -> const std::string& {
    const std::string* value = file.find_metadata(key);
    if (value == nullptr) {
      throw InputError(path.string(), concat("a model that cbnet wrote (metadata '", key, "')"), "none",
                       "train one with `cbnet train`");
    }
    return *value;
  };
  const std::string& version = metadata("cbnet.version");
  if (version != kFormatVersion && version != kNormalisedVersion) {
    throw InputError(path.string(), concat("format version ", kFormatVersion, " or ", kNormalisedVersion),
                     version, "use the version of cbnet that wrote it, or train it again");
  }
  Model out;
  out.info.model = metadata("cbnet.model");
  out.info.dataset = metadata("cbnet.dataset");
  out.info.provenance = metadata("cbnet.provenance");
  NetworkSpec network;
  try {
    out.info.thresholds = parse_json(metadata("cbnet.thresholds")).get<std::vector<double>>();
    out.info.rescale = parse_json(metadata("cbnet.rescale")).get<double>();
    if (const std::string* classes = file.find_metadata("cbnet.classes"))
      out.info.classes = parse_json(*classes).get<std::vector<std::string>>();
    network = network_spec_from_json(metadata("cbnet.network"));
    out.info.normalisation = normalisation_from(metadata("cbnet.normalisation"));
    check(out.info.normalisation, network.input);
  } catch (const Json::exception& error) {
    throw InputError(path.string(), "numbers in the metadata", error.what());
  } catch (const std::invalid_argument& error) {
    throw InputError(path.string(), "a normalisation of its pixels", error.what());
  } catch (const InputError& error) {
    throw InputError(concat(path.string(), ": ", error.what()));
  }
  if (!std::isfinite(out.info.rescale) || out.info.thresholds.size() > network.exits.size()) {
    throw InputError(path.string(),
                     concat("a finite rescale and at most ", network.exits.size(), " thresholds"),
                     concat(out.info.rescale, " and ", out.info.thresholds.size()));
  }
  // The promised sizes must be those of the tensors in the file before a network of that size is built.
  const std::int64_t promised = total_cost(network).parameters;
  std::int64_t present = 0;
  for (const auto& [name, tensor] : file.tensors) {
    present += tensor.numel();
    if (!all_finite(tensor))
      throw InputError(path.string(), "finite weights", concat("NaN or infinity in ", name));
  }
  if (promised > present) {
    throw InputError(path.string(), concat(promised, " weights, as its network has"), concat(present));
  }
  try {
    out.network = std::make_unique<Network>(std::move(network));
    out.network->load_state_dict(file.tensors);
  } catch (const std::invalid_argument& error) {
    throw InputError(path.string(), "the weights of its network", error.what());
  }
  out.network->eval();
  return out;
}

}  // namespace cbnet

#include "tests/conformance/golden.h"

#include <map>

#include "models/json.h"
#include "models/safetensors.h"
#include "tensor/error.h"

namespace cbnet::testing {

std::filesystem::path golden_path() {
  return std::filesystem::path(CBNET_SOURCE_DIR) / "tests/golden/libtorch.safetensors";
}

void write_golden(const std::filesystem::path& path, const Golden& golden) {
  SafetensorsFile file;
  Json ops = Json::array();
  for (const GoldenOp& one : golden.ops) {
    const std::string name = cbnet::concat("op.", ops.size(), ".");
    const auto put = [&](const char* kind, const std::vector<Tensor>& tensors) {
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        file.tensors.emplace_back(cbnet::concat(name, kind, ".", i), tensors[i]);
      }
    };
    put("input", one.config.inputs);
    put("output", one.results.outputs);
    put("gradient", one.results.gradients);
    ops.push_back({{"op", one.op}, {"needs_grad", one.config.needs_grad}, {"args", one.config.args}});
  }
  for (const auto& [name, tensor] : golden.optimizers) file.tensors.emplace_back("optimizer." + name, tensor);
  for (const auto& [name, tensor] : golden.curves) file.tensors.emplace_back("curve." + name, tensor);
  file.metadata = {{"made_with", "LibTorch " + golden.libtorch_version}, {"ops", ops.dump()}};
  write_safetensors(path, file);
}

Golden read_golden(const std::filesystem::path& path) {
  const SafetensorsFile file = read_safetensors(path);
  const std::map<std::string, std::string> metadata(file.metadata.begin(), file.metadata.end());
  const std::map<std::string, Tensor> tensors(file.tensors.begin(), file.tensors.end());
  Golden golden;
  for (const Json& one : parse_json(metadata.at("ops"), path.string())) {
    const std::string name = cbnet::concat("op.", golden.ops.size(), ".");
    const auto all = [&](const char* kind) {
      std::vector<Tensor> out;
      for (auto found = tensors.end();
           (found = tensors.find(cbnet::concat(name, kind, ".", out.size()))) != tensors.end();) {
        out.push_back(found->second);
      }
      return out;
    };
    golden.ops.push_back({one.at("op").get<std::string>(),
                          {all("input"), one.at("needs_grad").get<std::vector<bool>>(),
                           one.at("args").get<std::map<std::string, std::vector<double>>>()},
                          {all("output"), all("gradient")}});
  }
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with("optimizer.")) golden.optimizers.emplace_back(name.substr(10), tensor);
    if (name.starts_with("curve.")) golden.curves.emplace_back(name.substr(6), tensor);
  }
  return golden;
}

}  // namespace cbnet::testing

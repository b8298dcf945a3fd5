#include "models/checkpoint.h"

#include <limits>

#include "models/safetensors.h"
#include "models/zoo.h"
#include "tensor/io.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::TempFolder;

namespace {
ModelInfo branchy_info() {
  ModelInfo info;
  info.model = "branchynet";
  info.dataset = "fmnist";
  info.thresholds = {0.1};  // not exact in binary: the text must still give the same double
  info.rescale = 1.0 / 3.0;
  info.provenance = R"({"seed":1})";
  return info;
}
}  // namespace

TEST_CASE("files that are not our models are refused by name") {
  const TempFolder folder;
  CHECK_THROWS_SAYING(load_model(folder / "none"), InputError, "No such file");
  write_safetensors(folder / "foreign", {});
  CHECK_THROWS_SAYING(load_model(folder / "foreign"), InputError, "metadata 'cbnet.version'");

  const Network network(branchynet_spec(), 1);
  save_model(folder / "good", network, branchy_info());
  const auto edited = [&](auto edit) {
    SafetensorsFile file = read_safetensors(folder / "good");
    edit(file);
    write_safetensors(folder / "edited", file);
    return folder / "edited";
  };
  const auto set = [](const char* key, const char* value) {
    return [=](SafetensorsFile& file) {
      for (auto& [name, text] : file.metadata) {
        if (name == key) text = value;
      }
    };
  };
  CHECK_THROWS_SAYING(load_model(edited(set("cbnet.version", "99"))), InputError,
                      "expected format version 1; found 99");
  CHECK_THROWS_SAYING(load_model(edited(set("cbnet.network", "{}"))), InputError, "the JSON of a network");
  CHECK_THROWS_SAYING(load_model(edited(set("cbnet.thresholds", "[1,2]"))), InputError,
                      "at most 1 thresholds");
  CHECK_THROWS_SAYING(load_model(edited(set("cbnet.rescale", "\"x\""))), InputError,
                      "numbers in the metadata");
  CHECK_THROWS_SAYING(load_model(edited([](SafetensorsFile& file) {
                        file.tensors[0].second.data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
                      })),
                      InputError, "NaN or infinity in trunk.0.weight");
  CHECK_THROWS_SAYING(load_model(edited([](SafetensorsFile& file) { file.tensors.pop_back(); })), InputError,
                      "expected 74694 weights");
  CHECK_THROWS_SAYING(load_model(edited([](SafetensorsFile& file) { file.tensors.back().first = "x"; })),
                      InputError, "'exits.0.4.bias' is missing");
}

TEST_CASE("a model round-trips with everything it says, and equal models give equal bytes") {
  const TempFolder folder;
  Network network(branchynet_spec(), 3);
  save_model(folder / "a", network, branchy_info());
  Model back = load_model(folder / "a");
  CHECK(back.info.model == "branchynet");
  CHECK(back.info.dataset == "fmnist");
  CHECK(back.info.normalisation == "pixels / 255");
  CHECK(back.info.thresholds == std::vector<double>{0.1});
  CHECK(back.info.rescale == 1.0 / 3.0);
  CHECK(back.info.provenance == R"({"seed":1})");
  CHECK(back.network->spec() == network.spec());
  CHECK_FALSE(back.network->training());
  for (std::size_t i = 0; i < network.parameters().size(); ++i) {
    CHECK(back.network->parameters()[i].value().to_vector<float>() ==
          network.parameters()[i].value().to_vector<float>());
  }
  save_model(folder / "b", *back.network, back.info);
  CHECK(read_file(folder / "a") == read_file(folder / "b"));
}

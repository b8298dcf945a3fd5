#include "models/checkpoint.h"

#include <bit>
#include <limits>
#include <nlohmann/json.hpp>

#include "models/safetensors.h"
#include "models/zoo.h"
#include "tensor/io.h"
#include "tests/models/planned.h"
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
                      "expected format version 1 or 2; found 99");
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

TEST_CASE("a model file with the earlier names of batch normalisation loads") {
  const TempFolder folder;
  NetworkSpec spec{"x", {1, 4, 4}, {kinds::Conv2d{.out = 2}, kinds::BatchNorm{}}, {}};
  const auto network = cbnet::testing::trained(spec, 3);
  ModelInfo info;
  info.model = "x";
  info.dataset = "fmnist";
  save_model(folder / "new", *network, info);
  SafetensorsFile file = read_safetensors(folder / "new");
  for (auto& [name, tensor] : file.tensors) {
    if (name == "trunk.1.weight") name = "trunk.1.gamma";
    if (name == "trunk.1.bias") name = "trunk.1.beta";
  }
  write_safetensors(folder / "old", file);
  const Model old = load_model(folder / "old");
  const StateDict state = old.network->state_dict(), expected = network->state_dict();
  REQUIRE(state.size() == 6);
  for (std::size_t i = 0; i < state.size(); ++i) {
    CHECK(state[i].first == expected[i].first);
    CHECK(state[i].second.to_vector<float>() == expected[i].second.to_vector<float>());
  }
  // Written again, it has the names of today.
  save_model(folder / "again", *old.network, old.info);
  CHECK(read_file(folder / "again") == read_file(folder / "new"));
}

TEST_CASE("a model round-trips with everything it says, and equal models give equal bytes") {
  const TempFolder folder;
  Network network(branchynet_spec(), 3);
  save_model(folder / "a", network, branchy_info());
  Model back = load_model(folder / "a");
  CHECK(back.info.model == "branchynet");
  CHECK(back.info.dataset == "fmnist");
  CHECK(to_text(back.info.normalisation) == "pixels / 255");
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

TEST_CASE("a model file is what the format's description says, read without our reader") {
  const TempFolder folder;
  Network network(branchynet_spec(), 3);
  save_model(folder / "a", network, branchy_info());
  const std::string bytes = read_file(folder / "a");
  // 8 bytes, little-endian: the size of a JSON object that opens with '{' and may end in spaces.
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < 8; ++i)
    size |= std::uint64_t{static_cast<unsigned char>(bytes.at(i))} << (8 * i);
  REQUIRE(size <= bytes.size() - 8);
  CHECK(bytes.at(8) == '{');
  const nlohmann::json header = nlohmann::json::parse(bytes.substr(8, size));
  const std::string data = bytes.substr(8 + size);
  for (const auto& entry : header.at("__metadata__").items()) {
    INFO(entry.key());
    CHECK(entry.value().is_string());
  }
  StateDict state = network.state_dict();
  CHECK(header.size() == state.size() + 1);
  std::size_t covered = 0;
  for (const auto& named : state) {
    INFO(named.first);
    const Tensor& tensor = named.second;
    const nlohmann::json& entry = header.at(named.first);
    CHECK(entry.size() == 3);
    CHECK(entry.at("dtype") == "F32");
    CHECK(entry.at("shape") == nlohmann::json(tensor.shape()));
    const auto begin = entry.at("data_offsets").at(0).get<std::size_t>();
    const auto end = entry.at("data_offsets").at(1).get<std::size_t>();
    REQUIRE(begin <= end);
    REQUIRE(end <= data.size());
    REQUIRE(end - begin == 4 * static_cast<std::size_t>(tensor.numel()));
    covered += end - begin;
    // IEEE 754 single precision, little-endian, row-major.
    const std::vector<float> values = tensor.to_vector<float>();
    bool equal = true;
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::uint32_t bits = 0;
      for (std::size_t b = 0; b < 4; ++b)
        bits |= std::uint32_t{static_cast<unsigned char>(data[begin + 4 * i + b])} << (8 * b);
      equal = equal && std::bit_cast<float>(bits) == values[i];
    }
    CHECK(equal);
  }
  CHECK(covered == data.size());
}

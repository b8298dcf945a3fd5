// Weights in a file beside the model.

#include <doctest/doctest.h>

#include <filesystem>

#include "models/zoo.h"
#include "tensor/io.h"
#include "tests/onnx/graphs.h"
#include "tests/onnx/networks.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

namespace fs = std::filesystem;

void set_external(onnx::TensorProto& weight, const std::string& key, const std::string& value) {
  for (onnx::StringStringEntryProto& entry : *weight.mutable_external_data()) {
    if (entry.key() == key) return entry.set_value(value);
  }
  onnx::StringStringEntryProto& entry = *weight.add_external_data();
  entry.set_key(key);
  entry.set_value(value);
}

/// A model and its weights in "sub/data.bin", written into a folder.
struct Divided {
  explicit Divided(const fs::path& at) : folder(at) {
    Model model;
    model.network = random_network(classifier_spec());
    export_onnx(folder / "whole.onnx", {.classifier = &model});
    REQUIRE(proto.ParseFromString(read_file(folder / "whole.onnx")));
    std::string bytes(13, 'x');  // in front
    for (onnx::TensorProto& each : *proto.mutable_graph()->mutable_initializer()) {
      set_external(each, "location", "sub/data.bin");
      set_external(each, "offset", std::to_string(bytes.size()));
      set_external(each, "length", std::to_string(each.raw_data().size()));
      each.set_data_location(onnx::TensorProto::EXTERNAL);
      bytes += each.raw_data();
      each.clear_raw_data();
    }
    write_file_atomic(folder / "sub" / "data.bin", bytes);
  }

  Model imported() const {
    write_file_atomic(folder / "m.onnx", proto.SerializeAsString());
    return import_onnx(folder / "m.onnx", {.output = "logits"});
  }
  std::string refusal() const {
    return message_of<InputError>([&] { imported(); });
  }
  onnx::TensorProto& weight() { return *proto.mutable_graph()->mutable_initializer(0); }

  fs::path folder;
  onnx::ModelProto proto;
};

}  // namespace

TEST_CASE("onnx external data: the same network as from one file") {
  const TempFolder folder;
  Divided divided(folder.path());
  const Model whole = import_onnx(folder / "whole.onnx", {.output = "logits"});
  const auto same = [&](const Model& model) {
    const StateDict a = whole.network->state_dict(), b = model.network->state_dict();
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i)
      CHECK(a[i].second.to_vector<float>() == b[i].second.to_vector<float>());
  };
  same(divided.imported());
  // A length may be left out, and a folder be named by way of itself.
  for (onnx::StringStringEntryProto& entry : *divided.weight().mutable_external_data()) {
    if (entry.key() == "length") entry.set_key("checksum");
  }
  set_external(divided.weight(), "location", "./sub/../sub/data.bin");
  same(divided.imported());
}

TEST_CASE("onnx external data: a file that is not there, too short, elsewhere or said wrongly is one error") {
  const TempFolder folder;
  fs::create_directories(folder / "model");
  Divided divided(folder / "model");
  const auto refused = [&](const char* key, const std::string& value, const std::string& says) {
    const onnx::ModelProto before = divided.proto;
    set_external(divided.weight(), key, value);
    const std::string message = divided.refusal();
    CHECK_MESSAGE(message.find("m.onnx: weight 'trunk.0.weight': expected " + says) != std::string::npos,
                  message);
    divided.proto = before;
  };
  const std::string data = (folder / "model" / "none.bin").string();
  refused("location", "none.bin",
          "its data in the file " + data + "; found no such file; hint: keep it beside the model");
  refused("location", "", "its data in a file of the model's folder; found ''");
  refused("location", "sub", "its data in the file");
  refused("offset", "-4", "a number of bytes as offset of its data; found -4");
  refused("offset", "1e3", "a number of bytes as offset of its data; found 1e3");
  refused("length", "4", "500 bytes; found 4; hint: the file is damaged");
  refused("offset", "99999999999", "500 bytes from 99999999999 in ");
  refused("offset", "18446744073709551615", "500 bytes from 18446744073709551615 in ");

  // Outside: by a path, by an absolute one, by a link.
  write_file_atomic(folder / "secret.bin", std::string(1000, '\0'));
  fs::create_symlink(folder / "secret.bin", folder / "model" / "link.bin");
  for (const std::string& place :
       {std::string("../secret.bin"), (folder / "secret.bin").string(), std::string("link.bin")})
    refused("location", place, "its data in a file of the model's folder; found '" + place + "'");

  fs::resize_file(folder / "model" / "sub" / "data.bin", 100);
  refused("offset", "13", "500 bytes from 13 in ");
  CHECK_THROWS_SAYING(import_onnx_bytes(divided.proto.SerializeAsString(), "m.onnx", {.output = "logits"}),
                      InputError, "expected its data in the same file; found data in another file");
  // No memory is taken for what a small file promises.
  divided.weight().set_dims(0, std::int64_t{1} << 31);
  for (onnx::StringStringEntryProto& entry : *divided.weight().mutable_external_data()) {
    if (entry.key() == "length") entry.set_key("checksum");
  }
  CHECK(divided.refusal().find("expected data of at most 1073741824 bytes together; found more") !=
        std::string::npos);
}

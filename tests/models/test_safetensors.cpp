#include "models/safetensors.h"

#include <cmath>
#include <cstring>

#include "tensor/io.h"
#include "tensor/storage.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {
/// A file by the published format, written without our writer.
std::string file_of(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  const std::uint64_t size = header.size();
  std::memcpy(bytes.data(), &size, 8);
  return bytes + header + data;
}
SafetensorsFile parse(const std::string& header, const std::string& data) {
  return parse_safetensors(file_of(header, data), "w.safetensors");
}
}  // namespace

TEST_CASE("each kind of damage has its message") {
  CHECK_THROWS_SAYING(parse_safetensors("abc", "w"), InputError,
                      "w: expected a safetensors header; found a file of 3 bytes");
  std::string huge = file_of("{}", "");
  const std::uint64_t lie = std::uint64_t{1} << 63;
  std::memcpy(huge.data(), &lie, 8);
  CHECK_THROWS_SAYING(parse_safetensors(huge, "w"), InputError, "found a header size of 9223372036854775808");
  CHECK_THROWS_SAYING(parse("[", ""), InputError, "expected a valid JSON header");
  CHECK_THROWS_SAYING(parse("[]", ""), InputError, "expected a JSON object as header");
  CHECK_THROWS_SAYING(parse(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,400]}})", "1234"),
                      InputError, "expected offsets inside the 4 data bytes; found [0, 400) for a");
  CHECK_THROWS_SAYING(parse(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "1234"), InputError,
                      "as long as shape (2) of F32; found 4 bytes");
  CHECK_THROWS_SAYING(parse(R"({"a":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}})", "1234"), InputError,
                      "'Q4' for a");
  CHECK_THROWS_SAYING(
      parse(R"({"a":{"dtype":"U8","shape":[4294967296,4294967296,4],"data_offsets":[0,4]}})", "1234"),
      InputError, "too many elements");
  CHECK_THROWS_SAYING(parse(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
                                "b":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}})",
                            "1234"),
                      InputError, "neither overlap nor leave holes");
  CHECK_THROWS_SAYING(parse(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "1234"), InputError,
                      "2 bytes that belong to none");
  CHECK_THROWS_SAYING(parse(R"({"a":{"dtype":"U8","shape":[2]}})", "12"), InputError,
                      "'data_offsets' not found");
  CHECK_THROWS_SAYING(parse(R"({"a":{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}})", "12"), InputError,
                      "negative");
  CHECK_THROWS_SAYING(parse(std::string((4U << 20) + 1, ' '), ""), InputError,
                      "has at most 4194304; found a header size of 4194305");
  SafetensorsFile twice;
  twice.tensors = {{"a", Tensor::zeros({1})}, {"a", Tensor::zeros({1})}};
  CHECK_THROWS_SAYING(serialize_safetensors(twice), std::invalid_argument, "used twice");
}

TEST_CASE("entries that share their bytes are refused before they become memory") {
  // 4,000 times the same megabyte would be 4 GB.
  constexpr std::size_t kSize = 1 << 20;
  std::string header = "{";
  for (int i = 0; i < 4000; ++i) {
    header += (i == 0 ? "\"" : ",\"") + std::to_string(i) +
              R"(":{"dtype":"U8","shape":[1048576],"data_offsets":[0,1048576]})";
  }
  CHECK_THROWS_SAYING(parse(header + "}", std::string(kSize, 'x')), InputError,
                      "neither overlap nor leave holes");
  CHECK(storage_peak_bytes() < std::size_t{1} << 28);
  std::string many = "{";
  for (int i = 0; i <= 10'000; ++i) {
    many +=
        (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  CHECK_THROWS_SAYING(parse(many + "}", ""), InputError, "20000 keys and 250000 values; found more");
}

TEST_CASE("every dtype, empty tensors, views and metadata round-trip, to equal bytes") {
  SafetensorsFile file;
  file.metadata = {{"k", "v \"quoted\""}, {"network", "{\"a\":[1]}"}};
  const Tensor wide = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  file.tensors = {{"f32", wide.transpose(0, 1)},
                  {"f64", Tensor::from<double>({-0.5}, {})},
                  {"u8", Tensor::from<std::uint8_t>({0, 255}, {2, 1})},
                  {"i64", Tensor::from<std::int64_t>({INT64_MIN}, {1})},
                  {"none", Tensor::zeros({0, 3})}};
  const testing::TempFolder folder;
  write_safetensors(folder / "w", file);
  const SafetensorsFile back = read_safetensors(folder / "w");
  CHECK(back.metadata == file.metadata);
  CHECK(*back.find_metadata("k") == "v \"quoted\"");
  CHECK(back.find_metadata("absent") == nullptr);
  REQUIRE(back.tensors.size() == file.tensors.size());
  for (std::size_t i = 0; i < file.tensors.size(); ++i) {
    CHECK(back.tensors[i].first == file.tensors[i].first);
    CHECK(back.tensors[i].second.shape() == file.tensors[i].second.shape());
    CHECK(back.tensors[i].second.dtype() == file.tensors[i].second.dtype());
    CHECK(back.tensors[i].second.to_vector<double>() == file.tensors[i].second.to_vector<double>());
  }
  CHECK(serialize_safetensors(back) == read_file(folder / "w"));
}

TEST_CASE("half precision is read as f32: signs, subnormals, infinities, NaN") {
  const std::uint16_t f16[] = {0x3C00, 0xC000, 0x0001, 0x8000, 0x7C00, 0x7E00, 0x7BFF};
  const auto half = parse(R"({"a":{"dtype":"F16","shape":[7],"data_offsets":[0,14]}})",
                          std::string(reinterpret_cast<const char*>(f16), 14))
                        .tensors[0]
                        .second.to_vector<float>();
  CHECK(half[0] == 1.0F);
  CHECK(half[1] == -2.0F);
  CHECK(half[2] == 0x1.0p-24F);
  CHECK(std::signbit(half[3]));
  CHECK(std::isinf(half[4]));
  CHECK(std::isnan(half[5]));
  CHECK(half[6] == 65504.0F);
  const std::uint16_t bf16[] = {0x3F80, 0xC040};
  const auto brain = parse(R"({"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}})",
                           std::string(reinterpret_cast<const char*>(bf16), 4))
                         .tensors[0]
                         .second.to_vector<float>();
  CHECK(brain == std::vector<float>{1.0F, -3.0F});
}

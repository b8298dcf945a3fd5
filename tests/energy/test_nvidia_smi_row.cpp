#include "energy/nvidia_smi_row.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

using namespace cbnet::energy;

namespace {

const std::string kHead = "0, GPU-5f2e1c3a-0000-1111-2222-333344445555, NVIDIA H100 80GB HBM3, 550.54.15, ";

RowStatus status_of(const std::string& power) { return parse_row(kHead + power).status; }

}  // namespace

TEST_CASE("what is no row is malformed and keeps nothing but its text") {
  for (const std::string line :
       {"", "\n", "garbage", "0", "0, GPU-1", "0, GPU-1, NVIDIA, 550.54", "x, GPU-1, NVIDIA, 550.54, 78.66",
        "-1, GPU-1, NVIDIA, 550.54, 78.66", "0, 78.66, NVIDIA, 550.54, 78.66",
        "0, GPU-1, NVIDIA, 550.54, 78,66",                                // a decimal comma
        "0, GPU-1, NVIDIA, 550.54, 78.660, GPU-1, NVIDIA, 550.54, 79.1",  // two rows in one
        "0, GPU-1, NVIDIA, 550.54, 78.66.1", "0, GPU-1, NVIDIA, 550.54, n/a",
        "0, GPU-1, NVIDIA, 550.54, info", "0, GPU-1, NVIDIA, 550.54, 78 66",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        "No devices were found"}) {
    CAPTURE(line);
    const NvidiaSmiRow row = parse_row(line);
    CHECK(row.status == RowStatus::malformed);
    CHECK_FALSE(row.power_w);
    CHECK(row.index == -1);
    CHECK(row.uuid.empty());
  }
  CHECK(parse_row("  No devices were found\r\n").text == "No devices were found");
}

TEST_CASE("a row is read whole") {
  const NvidiaSmiRow row = parse_row(kHead + "78.66\r");
  CHECK(row.status == RowStatus::ok);
  CHECK(row.index == 0);
  CHECK(row.uuid == "GPU-5f2e1c3a-0000-1111-2222-333344445555");
  CHECK(row.name == "NVIDIA H100 80GB HBM3");
  CHECK(row.driver == "550.54.15");
  CHECK(row.power_w == 78.66);
  CHECK(parse_row("7,GPU-1,Tesla K80,470.1,9999.9").power_w == 9999.9);
}

TEST_CASE("watts may be named, other units are refused") {
  CHECK(parse_row(kHead + "78.66 W").power_w == 78.66);
  CHECK(parse_row(kHead + "78.66W").power_w == 78.66);
  for (const char* power : {"78660 mW", "78.66 mW", "0.078 kW", "78 w", "78 V", "78 \xC2\xB5W", "0 mW"}) {
    CAPTURE(power);
    const NvidiaSmiRow row = parse_row(kHead + power);
    CHECK(row.status == RowStatus::wrong_unit);
    CHECK_FALSE(row.power_w);
    CHECK(row.text == power);
    CHECK(row.index == 0);
  }
}

TEST_CASE("a reading that the GPU lacks is missing, not 0") {
  for (const char* power : {"[N/A]", "[Not Supported]", "[GPU requires reset]", "[Unknown Error]", "N/A",
                            "ERR!", "Not Supported", "Unknown Error", ""}) {
    CAPTURE(power);
    const NvidiaSmiRow row = parse_row(kHead + power);
    CHECK(row.status == RowStatus::missing);
    CHECK_FALSE(row.power_w);
    CHECK(row.uuid == "GPU-5f2e1c3a-0000-1111-2222-333344445555");
  }
}

TEST_CASE("readings outside (0 W, 10 kW) are implausible") {
  for (const char* power :
       {"0", "0.00", "-0.0", "-5.2", "10000", "78660", "3.69e12", "nan", "inf", "-inf", "1e999"}) {
    CAPTURE(power);
    CHECK(status_of(power) == RowStatus::implausible);
    CHECK_FALSE(parse_row(kHead + power).power_w);
  }
}

TEST_CASE("every truncation of a row is malformed, missing, or a power below the whole one") {
  const std::string line = kHead + "78.66";
  for (std::size_t length = 0; length < kHead.size() - 2; ++length) {
    CAPTURE(length);
    CHECK(parse_row(line.substr(0, length)).status == RowStatus::malformed);
  }
}

TEST_CASE("no bytes throw, and only ok has a power") {
  std::mt19937 random(7);
  const std::string alphabet = "0123456789.,-+eE []NA/WmGPUinfERR!\xC2\xB5\t\r";
  for (int i = 0; i < 20000; ++i) {
    std::string line = kHead + "78.66 W";
    for (int edit = 0; edit < 4; ++edit) {
      const std::size_t at = random() % line.size();
      if (random() % 3 == 0) {
        line.erase(at, 1 + random() % 4);
      } else if (random() % 2 == 0) {
        line[at] = alphabet[random() % alphabet.size()];
      } else {
        line[at] = static_cast<char>(random());
      }
      if (line.empty()) line = " ";
    }
    const NvidiaSmiRow row = parse_row(line);
    const bool is_consistent = (row.status == RowStatus::ok) == row.power_w.has_value();
    CHECK_MESSAGE(is_consistent, line);
    if (row.power_w) {
      const bool is_plausible = *row.power_w > 0 && *row.power_w < kMaxPlausiblePowerW;
      CHECK_MESSAGE(is_plausible, line);
    }
  }
}

#include "energy/host.h"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include "tests/energy/support.h"

using namespace cbnet::energy;
using cbnet::energy::testing::contains;
using cbnet::energy::testing::TempDir;

namespace {

constexpr const char* kPi4 = "modelled (Raspberry Pi 4, Eq. 2)";
constexpr const char* kGci = "modelled (Google Compute Engine, Eq. 1)";
constexpr const char* kNotThisServer = "modelled (the paper's server, not this machine)";
constexpr const char* kNotThisPi = "modelled (the paper's Raspberry Pi 4, not this machine)";
constexpr const char* kTwoCpus = "cpu  1 2 3 4\ncpu0 1 2 3 4\ncpu1 1 2 3 4\nintr 5\n";

Host with_cpuinfo(const std::string& cpuinfo) {
  const TempDir root;
  root.write("proc/cpuinfo", cpuinfo);
  return recognise_host(root.path());
}

Host with_product(const std::string& product, const std::string& vendor) {
  const TempDir root;
  root.write("sys/class/dmi/id/product_name", product + "\n");
  root.write("sys/class/dmi/id/sys_vendor", vendor + "\n");
  root.write("proc/cpuinfo", "processor\t: 0\nmodel\t\t: 63\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.30GHz\n");
  root.write("proc/stat", kTwoCpus);
  return recognise_host(root.path());
}

Host of(Platform platform) { return {.platform = platform, .model = {}, .cpu = {}, .cpu_count = 2}; }

}  // namespace

TEST_CASE("choose_model rejects unknown words and constants") {
  const Host host = of(Platform::other);
  for (const char* which : {"", "pi5", "AUTO", "Eq. 1"}) {
    CAPTURE(which);
    CHECK_THROWS_AS(choose_model(host, which), std::invalid_argument);
  }
  CHECK_THROWS_AS(choose_model(host, "pi4", "N=18"), std::invalid_argument);
  CHECK_THROWS_AS(choose_model(host, "auto", "beta"), std::invalid_argument);
  CHECK_THROWS_AS(choose_model(host, "gci", "beta=0"), std::invalid_argument);
  CHECK_THROWS_AS(choose_model(host, "none", "beta=1"), std::invalid_argument);
}

TEST_CASE("a Raspberry Pi 4 is recognised by its device tree") {
  const TempDir root;
  root.write("proc/device-tree/model", std::string("Raspberry Pi 4 Model B Rev 1.2\0", 31));
  root.write("proc/stat", "cpu 1 2 3 4\ncpu0 1 2 3 4\ncpu1 1 2 3 4\ncpu2 1 2 3 4\ncpu3 1 2 3 4\n");
  const Host host = recognise_host(root.path());
  CHECK(host.platform == Platform::raspberry_pi_4);
  CHECK(host.describe() == "Raspberry Pi 4 Model B Rev 1.2, 4 CPUs");
  const auto model = choose_model(host);
  REQUIRE(model);
  CHECK(model->name() == "pi4");
  CHECK(model->label() == kPi4);
}

TEST_CASE("a Raspberry Pi 4 is recognised by /proc/cpuinfo, as in a container") {
  CHECK(with_cpuinfo("processor\t: 0\n\nHardware\t: BCM2835\nRevision\t: c03112\nModel\t\t: Raspberry Pi 4 "
                     "Model B Rev 1.2\n")
            .platform == Platform::raspberry_pi_4);
  // Before 2019 there was no Model line.
  const Host old = with_cpuinfo("processor\t: 0\n\nHardware\t: BCM2835\nRevision\t: c03112\n");
  CHECK(old.platform == Platform::raspberry_pi_4);
  CHECK(old.model == "Raspberry Pi 4 Model B");
}

TEST_CASE("other Raspberry Pis are not taken for a Pi 4") {
  for (const char* name :
       {"Raspberry Pi 3 Model B Plus Rev 1.3", "Raspberry Pi 5 Model B Rev 1.0", "Raspberry Pi 400 Rev 1.0",
        "Raspberry Pi Compute Module 4 Rev 1.0", "Raspberry Pi Zero 2 W Rev 1.0"}) {
    CAPTURE(name);
    const Host host = with_cpuinfo(std::string("Model\t: ") + name + "\n");
    CHECK(host.platform == Platform::other_raspberry_pi);
    CHECK(host.model == name);
    for (const char* which : {"auto", "pi4"}) {
      CHECK(choose_model(host, which)->name() == "pi4");
      CHECK(choose_model(host, which)->label() == kNotThisPi);
    }
  }
  const Host pi3 = with_cpuinfo("Hardware\t: BCM2835\nRevision\t: a02082\n");
  CHECK(pi3.platform == Platform::other_raspberry_pi);
  CHECK(pi3.model == "Raspberry Pi 3 Model B");
  CHECK(with_cpuinfo("Hardware\t: BCM2708\nRevision\t: 000e\n").platform == Platform::other_raspberry_pi);
}

TEST_CASE("other ARM boards are not Raspberry Pis") {
  CHECK(with_cpuinfo("Hardware\t: Qualcomm Technologies\nRevision\t: c03112\n").platform == Platform::other);
  CHECK(with_cpuinfo("Hardware\t: BCM2835\n").platform == Platform::other);
  const TempDir root;
  root.write("proc/device-tree/model", "Radxa ROCK Pi 4");
  CHECK(recognise_host(root.path()).platform == Platform::other);
}

TEST_CASE("Google Compute Engine is recognised by its product name") {
  for (const char* product : {"Google Compute Engine", "Google"}) {
    CAPTURE(product);
    const Host host = with_product(product, "Google");
    CHECK(host.platform == Platform::google_compute_engine);
    CHECK(host.describe() == "Google Compute Engine, Intel(R) Xeon(R) CPU @ 2.30GHz, 2 CPUs");
    const auto model = choose_model(host);
    REQUIRE(model);
    CHECK(model->name() == "gci");
    CHECK(model->label() == kGci);
    CHECK(model->note().empty());
  }
  // A Chromebook has the vendor, not the product.
  CHECK(with_product("Eve", "Google").platform == Platform::other);
}

TEST_CASE("an instance of another size than the paper's says so") {
  Host host = of(Platform::google_compute_engine);
  host.cpu_count = 8;
  CHECK(contains(choose_model(host)->note(), "n=2 vCPUs, this instance has 8"));
  CHECK(choose_model(host, "auto", "n=8,N=18")->note().empty());
}

TEST_CASE("any other host gets Eq. 1 under the name of the paper's server") {
  const TempDir empty;
  const Host unknown = recognise_host(empty.path());
  CHECK(unknown.platform == Platform::other);
  CHECK(unknown.cpu_count >= 1);
  CHECK(contains(unknown.describe(), "unrecognised machine, "));
  for (const Host& host : {unknown, with_product("PowerEdge R740", "Dell Inc.")}) {
    for (const char* which : {"auto", "gci"}) {
      const auto model = choose_model(host, which);
      REQUIRE(model);
      CHECK(model->name() == "gci");
      CHECK(model->label() == kNotThisServer);
      CHECK(model->note().empty());
    }
  }
  CHECK(with_product("PowerEdge R740", "Dell Inc.").model == "PowerEdge R740");
}

TEST_CASE("a forced model is labelled by whose machine it is") {
  CHECK(choose_model(of(Platform::raspberry_pi_4), "pi4")->label() == kPi4);
  CHECK(choose_model(of(Platform::google_compute_engine), "gci")->label() == kGci);
  CHECK(choose_model(of(Platform::other), "pi4")->label() == kNotThisPi);
  CHECK(choose_model(of(Platform::google_compute_engine), "pi4")->label() == kNotThisPi);
  CHECK(choose_model(of(Platform::raspberry_pi_4), "gci")->label() == kNotThisServer);
  for (const Platform platform :
       {Platform::raspberry_pi_4, Platform::google_compute_engine, Platform::other}) {
    CHECK_FALSE(choose_model(of(platform), "none"));
  }
}

TEST_CASE("constants reach the chosen model") {
  CHECK(choose_model(of(Platform::raspberry_pi_4), "auto", "p_idle_w=2.5")->power_w(0) == 2.5);
  CHECK(choose_model(of(Platform::other), "auto", "N=36")->power_w(1) == doctest::Approx(10));
}

TEST_CASE("this machine is recognised as something") {
  const Host host = recognise_host();
  CHECK(host.cpu_count >= 1);
  CHECK(choose_model(host).has_value());
}

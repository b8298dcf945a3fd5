#include "train/provenance.h"

#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("the first difference is named by its key, on both sides") {
  const std::string a = R"({"stage":"lenet","recipe":{"epochs":12,"shift":1}})";
  const auto both = [&](const std::string& other) {
    const Difference d = first_difference(a, other);
    return d.expected + " | " + d.found;
  };
  CHECK(both(R"({"stage":"lenet","recipe":{"epochs":20,"shift":0}})") ==
        "recipe/epochs 12 | recipe/epochs 20");
  CHECK(both(R"({"stage":"lenet","recipe":{"epochs":12}})") == "recipe/shift 1 | recipe/shift not given");
  CHECK(both(R"({"stage":"lenet","recipe":{"epochs":12,"shift":1},"isa":"avx2"})") ==
        "isa not given | isa \"avx2\"");
  CHECK(both("no JSON") == a + " | no JSON");
}

TEST_CASE("provenance holds its fingerprint") {
  ModelInfo info;
  CHECK(fingerprint_of(info, "f").empty());
  info.provenance = make_provenance(R"({"seed":1})");
  CHECK(fingerprint_of(info, "f") == R"({"seed":1})");
  CHECK(nlohmann::json::parse(info.provenance).contains("threads"));
  info.provenance = "{";
  CHECK_THROWS_SAYING(fingerprint_of(info, "f"), InputError, "f: expected the JSON of its provenance");
  CHECK(parent_fingerprint(R"({"seed":1,"branchynet":{"seed":2}})") == R"({"seed":2})");
  CHECK(parent_fingerprint("").empty());
}

#include "bench/claims.h"

#include "tensor/error.h"
#include "tests/support/throws.h"

using namespace cbnet::bench;

namespace {

std::string file(const std::string& claims) { return "{\"claims\": [" + claims + "]}"; }

}  // namespace

TEST_CASE("claims: a damaged file is refused by name") {
  const auto read = [](const std::string& text) { return claims_from_json(text, "c.json"); };
  const char* good = R"({"id": "a", "place": "IV", "kind": "power", "value": 1, "unit": "W"})";
  CHECK(read(file(good)).size() == 1);
  CHECK_THROWS_SAYING(read("{"), std::exception, "");
  CHECK_THROWS_SAYING(read("{}"), cbnet::InputError, "c.json: expected claims with id");
  CHECK_THROWS_SAYING(read(file("")), cbnet::InputError, "at least one claim");
  CHECK_THROWS_SAYING(read(file(std::string(good) + "," + good)), cbnet::InputError, "a twice");
  CHECK_THROWS_SAYING(read(file(R"({"id": "a", "place": "IV", "kind": "taste", "value": 1, "unit": "W"})")),
                      cbnet::InputError, "'taste' of a");
  CHECK_THROWS_SAYING(read(file(R"({"id": "a", "place": "IV", "kind": "power", "value": "x", "unit": "W"})")),
                      cbnet::InputError, "c.json");
}

TEST_CASE("claims: the paper's are there, each where it stands") {
  CHECK(paper_claims().size() == 99);
  CHECK(claimed("latency", "fmnist", "branchynet", "raspberry_pi_4") == 7.248);
  CHECK(claimed("hard_fraction", "mnist", "branchynet") == 5.0);
  CHECK_FALSE(claimed("latency", "mnist", "autoencoder", "gci"));
  for (const Claim& claim : paper_claims()) CHECK_FALSE(claim.place.empty());
}

#include "bench/claims.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

#include "bench/claims_text.h"
#include "models/json.h"
#include "tensor/error.h"

namespace cbnet::bench {
namespace {

constexpr std::array<std::string_view, 13> kKinds{
    "latency",           "speedup",        "lowest_speedup", "highest_speedup", "energy_saving",
    "lowest_saving",     "highest_saving", "accuracy",       "exit_rate",       "hard_fraction",
    "autoencoder_share", "power",          "power_factor"};

Claim claim_of(const Json& json) {
  const auto text = [&](const char* key) { return json.value(key, std::string()); };
  Claim out{json.at("id").get<std::string>(),
            json.at("place").get<std::string>(),
            json.at("kind").get<std::string>(),
            text("dataset"),
            text("model"),
            text("baseline"),
            text("machine"),
            json.at("value").get<double>(),
            json.at("unit").get<std::string>()};
  return out;
}

}  // namespace

std::vector<Claim> claims_from_json(const std::string& text, const std::string& source) {
  std::vector<Claim> out;
  std::set<std::string> ids;
  try {
    const Json file = parse_json(text, source);
    for (const Json& json : file.at("claims")) out.push_back(claim_of(json));
  } catch (const Json::exception& error) {
    throw InputError(source, "claims with id, place, kind, value and unit", error.what());
  }
  for (const Claim& claim : out) {
    if (std::ranges::find(kKinds, claim.kind) == kKinds.end())
      throw InputError(source, "a kind that the audit knows", concat("'", claim.kind, "' of ", claim.id));
    if (!ids.insert(claim.id).second) throw InputError(source, "each id once", concat(claim.id, " twice"));
    if (!std::isfinite(claim.value)) throw InputError(source, "finite values", claim.id);
  }
  if (out.empty()) throw InputError(source, "at least one claim", "none");
  return out;
}

const std::vector<Claim>& paper_claims() {
  static const std::vector<Claim> claims = claims_from_json(kClaimsText, "claims.json");
  return claims;
}

std::optional<double> claimed(const std::string& kind, const std::string& dataset, const std::string& model,
                              const std::string& machine) {
  for (const Claim& claim : paper_claims()) {
    if (claim.kind == kind && claim.dataset == dataset && claim.model == model && claim.machine == machine)
      return claim.value;
  }
  return std::nullopt;
}

}  // namespace cbnet::bench

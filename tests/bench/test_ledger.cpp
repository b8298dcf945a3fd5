#include "bench/ledger.h"

#include "tests/support/throws.h"

using namespace cbnet::bench;
using cbnet::testing::contains;

namespace {

constexpr std::array<const char*, 3> kModels{"lenet", "branchynet", "cbnet"};

/// Makes a run in which CBNet takes 1 µs, and LeNet and BranchyNet `lenet` and `branchynet` times as long.
RunEvidence run_of(const std::string& dataset,
                   const std::map<std::string, std::pair<double, double>>& ratios) {
  RunEvidence out;
  out.run = "runs/" + dataset;
  out.dataset = dataset;
  for (const auto& [protocol, ratio] : ratios) {
    out.times.push_back({"lenet", protocol, 100, ratio.first, ratio.first, ratio.first});
    out.times.push_back({"branchynet", protocol, 100, ratio.second, ratio.second, ratio.second});
    out.times.push_back({"autoencoder", protocol, 100, 0.2, 0.2, 0.2});
    out.times.push_back({"cbnet", protocol, 100, 1.0, 1.0, 1.0});
  }
  for (const char* model : kModels) {
    std::vector<bool> right(1000, true);
    for (std::size_t i = 0; i < 100; ++i) right[i] = false;  // 90 %
    out.judged.push_back({model, right, std::string(model) == "branchynet" ? 0.75 : 1.0, 100.0});
  }
  return out;
}

Claim claim_of(const std::string& kind, double value) {
  Claim out;
  out.id = "a";
  out.kind = kind;
  out.dataset = "fmnist";
  out.model = "cbnet";
  out.baseline = "lenet";
  out.machine = "raspberry_pi_4";
  out.value = value;
  out.unit = "x";
  return out;
}

LedgerRow judged(const Claim& claim, const Evidence& evidence) { return ledger_of({claim}, evidence).at(0); }

}  // namespace

TEST_CASE("ledger: a speed-up is judged under each protocol, the fair one last") {
  Evidence evidence;
  evidence.runs = {run_of("fmnist", {{"fair", {1.3, 0.5}}, {"authors", {6.9, 3.0}}})};
  CHECK(judged(claim_of("speedup", 6.8), evidence).verdict == "reproduced only under authors");
  CHECK(judged(claim_of("speedup", 1.3), evidence).verdict == "reproduced");
  CHECK(judged(claim_of("speedup", 20), evidence).verdict == "not reproduced");
  const LedgerRow row = judged(claim_of("speedup", 6.8), evidence);
  CHECK(row.ours.at("fair") == doctest::Approx(1.3));
  CHECK(row.by_table2 == doctest::Approx(13.006 / 1.895));
}

TEST_CASE("ledger: what is not here cannot be tested, and why is said") {
  Evidence evidence;
  evidence.runs = {run_of("kmnist-first7011", {{"fair", {2, 2}}})};
  Claim claim = claim_of("speedup", 6.8);
  CHECK(judged(claim, evidence).verdict == "cannot be tested here");
  CHECK(contains(judged(claim, evidence).why, "needs a run of fmnist"));
  claim.dataset = "kmnist";
  CHECK(contains(judged(claim, evidence).why, "only a subset"));
  claim.baseline = "adadeep";
  CHECK(contains(judged(claim, evidence).why, "adadeep"));
  evidence.runs = {run_of("fmnist", {{"fair", {2, 2}}})};
  claim = claim_of("latency", 1.9);
  CHECK(judged(claim, evidence).verdict == "cannot be tested here");
  evidence.machine = "raspberry_pi_4";
  CHECK(judged(claim, evidence).verdict == "not reproduced");
  claim.value = 0.001;  // ms: CBNet takes 1 µs
  CHECK(judged(claim, evidence).verdict == "reproduced only under fair");
  claim = claim_of("speedup", 1.5);
  claim.machine = "gci_k80";
  CHECK(contains(judged(claim, evidence).why, "GPU"));
}

TEST_CASE("ledger: accuracies, rates, shares and savings have rules of their own") {
  Evidence evidence;
  evidence.runs = {run_of("fmnist", {{"fair", {4, 2}}}), run_of("fmnist", {{"fair", {4, 2}}})};
  CHECK(judged(claim_of("accuracy", 90.5), evidence).verdict == "reproduced");
  CHECK(judged(claim_of("accuracy", 95.0), evidence).verdict == "not reproduced");
  CHECK(contains(judged(claim_of("accuracy", 80.0), evidence).why, "ours is higher"));
  Claim rate = claim_of("exit_rate", 76.9);
  rate.model = "branchynet";
  CHECK(judged(rate, evidence).verdict == "reproduced");
  rate.kind = "hard_fraction";
  rate.value = 23;
  CHECK(judged(rate, evidence).verdict == "reproduced");
  rate.value = 5;
  CHECK(judged(rate, evidence).verdict == "not reproduced");
  CHECK(judged(claim_of("autoencoder_share", 25), evidence).verdict == "reproduced");
  CHECK(judged(claim_of("autoencoder_share", 10), evidence).verdict == "not reproduced");
  const LedgerRow saving = judged(claim_of("energy_saving", 78), evidence);
  CHECK(saving.ours.at("fair") == doctest::Approx(75.0));  // a quarter of the time
  CHECK(saving.verdict == "reproduced");
  CHECK(contains(saving.why, "modelled"));
  CHECK(judged(claim_of("energy_saving", 85), evidence).verdict == "not reproduced");
  Claim lowest = claim_of("lowest_speedup", 3.9);
  lowest.dataset.clear();
  CHECK(judged(lowest, evidence).verdict == "reproduced");
  CHECK(contains(judged(lowest, evidence).why, "not all three datasets"));
  CHECK(judged(claim_of("power_factor", 6), evidence).verdict == "not reproduced");
}

TEST_CASE("ledger: every claim of the paper gets a verdict, with evidence and without") {
  Evidence evidence;
  for (const LedgerRow& row : ledger_of(paper_claims(), evidence)) CHECK_FALSE(row.verdict.empty());
  evidence.runs = {run_of("fmnist", {{"fair", {1.3, 0.5}}, {"authors", {6, 3}}, {"authors-whole", {3, 1}}})};
  const std::vector<LedgerRow> rows = ledger_of(paper_claims(), evidence);
  for (const LedgerRow& row : rows) CHECK_FALSE(row.verdict.empty());
  const std::string text = ledger_markdown(evidence, rows);
  CHECK(contains(text, "99 claims:"));
  CHECK(contains(text, "| speedup of branchynet over lenet, mnist, raspberry_pi_4 | III-A.1, Figure 3 |"));
  CHECK(ledger_json(evidence, rows).at("claims").size() == 99);
}

TEST_CASE("ledger: the factors of a ratio multiply to it") {
  Evidence evidence;
  evidence.runs = {run_of("fmnist", {{"fair", {1.3, 0.5}}, {"authors", {6, 3}}, {"authors-whole", {3, 1}}})};
  const std::vector<Attribution> parts = attribution_of(evidence);
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].baseline == "lenet");
  CHECK(parts[0].claim == doctest::Approx(13.006 / 1.895));
  CHECK(parts[0].authors == 6);
  CHECK(parts[0].fair == doctest::Approx(1.3));
  CHECK(parts[1].macs == 1.0);
}

TEST_CASE("ledger: a rate above the machine's limit is found") {
  Evidence evidence;
  evidence.runs = {run_of("fmnist", {{"fair", {10, 10}}, {"authors", {10, 10}}})};
  evidence.gmacs = 100.0;
  evidence.runs[0].least = {{"lenet", 900'000.0}};  // in 10 µs: 90 GMAC/s
  CHECK(impossible_times(evidence).empty());
  evidence.runs[0].least[0].macs = 1'100'000.0;
  REQUIRE(impossible_times(evidence).size() == 1);
  CHECK(contains(impossible_times(evidence)[0], "lenet under fair"));
  evidence.gmacs.reset();
  CHECK(impossible_times(evidence).empty());
}

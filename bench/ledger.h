#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/claims.h"
#include "bench/run_timer.h"
#include "models/json.h"

// The ledger holds every claim of the paper beside what was measured here, with a verdict by fixed rules.

namespace cbnet::bench {

/// This was measured of one run.
struct RunEvidence {
  std::string run;
  std::string dataset;              // as the models name it: "kmnist-first7011" is not "kmnist"
  std::vector<ProtocolTime> times;  // µs an image, by model and protocol
  struct Judged {
    std::string model;
    std::vector<bool> right;  // by test image
    double early_rate = 1.0;  // fraction that left at the first exit
    double macs = 0.0;        // an image, over the exits taken
  };
  std::vector<Judged> judged;
  std::vector<LeastWork> least;
};

struct Evidence {
  std::vector<RunEvidence> runs;
  std::string machine;          // the key of the paper's machine that this one is; empty for another
  std::optional<double> gmacs;  // multiply-adds a second that a core of it can do, 1e9
};

/// A ledger row is a claim, what was measured for it, and the verdict.
struct LedgerRow {
  Claim claim;
  /// By protocol, in the claim's unit; "" for what no protocol changes.
  std::map<std::string, double> ours;
  std::optional<double> by_table2;  // the same from the paper's own Table II
  /// It is "reproduced", "reproduced only under …", "not reproduced" or "cannot be tested here".
  std::string verdict;
  std::string why;
};

/// Judges each claim. A speed-up or an energy saving is reproduced where ours reaches 90 % of it, or is at
/// most five points below; an accuracy where the claim lies in the 95 % interval of our seeds, widened by
/// that of the test images; rates and fractions within two points. Energy is modelled as the paper models it:
/// power times time, at equal power.
std::vector<LedgerRow> ledger_of(const std::vector<Claim>& claims, const Evidence& evidence);

/// Takes a ratio of the paper apart into factors whose product it is.
struct Attribution {
  std::string dataset, baseline;                              // the time of `baseline` over CBNet's
  double claim = 0.0;                                         // of the paper's Raspberry Pi 4
  double authors = 0.0, whole = 0.0, fair = 0.0, macs = 0.0;  // ours; of multiply-adds
};
std::vector<Attribution> attribution_of(const Evidence& evidence);

/// Lists what cannot be: a time in which more multiply-adds were done than the machine can do.
std::vector<std::string> impossible_times(const Evidence& evidence);

/// Writes tables in Markdown, and a record "cbnet-audit/1".
std::string ledger_markdown(const Evidence& evidence, const std::vector<LedgerRow>& rows);
Json ledger_json(const Evidence& evidence, const std::vector<LedgerRow>& rows);

}  // namespace cbnet::bench

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "energy/kind.h"

// The paper's two power models (section IV-C) turn CPU utilisation into watts.
namespace cbnet::energy {

// Eq. 1 models a fraction of a physical server: P = (n/N) (P_idle + (P_peak - P_idle) u^beta), in W.
// The defaults are the paper's. n counts vCPUs, normally hyperthreads, and N counts cores: with
// N = 36 hardware threads the same server gives half the power.
struct GciModel {
  double n = 2;           // vCPUs of the instance
  double N = 18;          // CPU cores of the physical server
  double p_idle_w = 40;   // of the whole server
  double p_peak_w = 180;  // of the whole server
  double beta = 0.75;

  // `u`: mean utilisation of all vCPUs in [0,1]. Throws std::invalid_argument on any other u, NaN
  // included, and on impossible constants.
  double power_w(double u) const;
  // "gci: Eq. 1, n=2, N=18, p_idle_w=40, p_peak_w=180, beta=0.75"
  std::string describe() const;
  // Throws std::invalid_argument unless 0 < n <= N, 0 <= p_idle_w <= p_peak_w > 0 and beta > 0.
  void check() const;
};

// Eq. 2 models a Raspberry Pi 4: P = P_idle + (P_peak - P_idle) u^beta, in W. The form is PowerPi's, the
// constants are those of a Pi 4 that the paper cites. Errors as for GciModel.
struct PiModel {
  double p_idle_w = 2.7;
  double p_peak_w = 6.4;
  double beta = 1;

  double power_w(double u) const;
  std::string describe() const;
  void check() const;
};

// Constants have names and the order in which they were given, e.g. {{"p_idle_w", 2.5}, {"beta", 1}}.
using PowerConstants = std::vector<std::pair<std::string, double>>;

// Reads "p_idle_w=2.5,beta=1"; an empty text gives no constants. Throws std::invalid_argument on a
// missing '=', a value that is not a finite number, or a name given twice.
PowerConstants parse_constants(std::string_view text);

// Returns the model with these constants replaced, checked. Throws std::invalid_argument on a name that the
// model does not have.
GciModel with_constants(GciModel model, const PowerConstants& constants);
PiModel with_constants(PiModel model, const PowerConstants& constants);

// Either model comes with the words that go with its watts.
class PowerModel {
 public:
  // `label` says whose power this is, e.g. "modelled (Raspberry Pi 4, Eq. 2)"; `note` is a remark on
  // the constants, or empty. Throws std::invalid_argument on impossible constants.
  PowerModel(GciModel model, std::string label, std::string note = {});
  PowerModel(PiModel model, std::string label, std::string note = {});

  // Returns "gci" or "pi4", as choose_model reads it.
  std::string name() const;
  Kind kind() const { return Kind::modelled; }
  const std::string& label() const { return label_; }
  const std::string& note() const { return note_; }
  double power_w(double u) const;
  // Lists every constant, on one line.
  std::string describe() const;

 private:
  std::variant<GciModel, PiModel> model_;
  std::string label_;
  std::string note_;
};

}  // namespace cbnet::energy

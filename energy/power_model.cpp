#include "energy/power_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <stdexcept>

#include "energy/text.h"

namespace cbnet::energy {
namespace {

// This is a constant's name, as options and describe() spell it, beside its place in the model.
template <class Model>
struct Constant {
  const char* name;
  double Model::*value;
};

constexpr std::array<Constant<GciModel>, 5> kGciConstants{{{"n", &GciModel::n},
                                                           {"N", &GciModel::N},
                                                           {"p_idle_w", &GciModel::p_idle_w},
                                                           {"p_peak_w", &GciModel::p_peak_w},
                                                           {"beta", &GciModel::beta}}};
constexpr std::array<Constant<PiModel>, 3> kPiConstants{
    {{"p_idle_w", &PiModel::p_idle_w}, {"p_peak_w", &PiModel::p_peak_w}, {"beta", &PiModel::beta}}};

template <class Model>
std::string list_constants(const Model& model, std::span<const Constant<Model>> constants) {
  std::string text;
  for (const auto& constant : constants) {
    text.append(text.empty() ? "" : ", ").append(constant.name).append("=");
    text += format_number(model.*constant.value);
  }
  return text;
}

template <class Model>
Model replace_constants(Model model, const PowerConstants& replacements,
                        std::span<const Constant<Model>> constants) {
  for (const auto& replacement : replacements) {
    const std::string& name = replacement.first;
    const auto found = std::find_if(constants.begin(), constants.end(),
                                    [&](const Constant<Model>& constant) { return name == constant.name; });
    if (found == constants.end()) {
      throw std::invalid_argument(fault("the name of a constant of the model", '"' + name + '"',
                                        "this model has " + list_constants(model, constants)));
    }
    model.*(found->value) = replacement.second;
  }
  model.check();
  return model;
}

// Comparisons are written so that NaN fails them.
void expect(bool holds, std::string_view rule, const std::string& constants) {
  if (holds) return;
  throw std::invalid_argument(
      fault(rule, constants, "the paper's constants (section IV-C) are the defaults"));
}

void check_curve(double p_idle_w, double p_peak_w, double beta, const std::string& constants) {
  expect(std::isfinite(p_idle_w) && p_idle_w >= 0, "a finite p_idle_w of at least 0", constants);
  expect(std::isfinite(p_peak_w) && p_peak_w > 0, "a finite p_peak_w above 0", constants);
  expect(p_peak_w >= p_idle_w, "p_peak_w of at least p_idle_w", constants);
  expect(std::isfinite(beta) && beta > 0, "a finite beta above 0", constants);
}

double curve_w(double p_idle_w, double p_peak_w, double beta, double u) {
  if (!(u >= 0 && u <= 1)) {
    throw std::invalid_argument(fault("a CPU utilisation in [0,1]", format_number(u),
                                      "divide a percentage by 100; a failed reading has no power"));
  }
  return p_idle_w + (p_peak_w - p_idle_w) * std::pow(u, beta);
}

}  // namespace

double GciModel::power_w(double u) const {
  check();
  return n / N * curve_w(p_idle_w, p_peak_w, beta, u);
}

std::string GciModel::describe() const {
  return "gci: Eq. 1, " + list_constants<GciModel>(*this, kGciConstants);
}

void GciModel::check() const {
  const std::string constants = list_constants<GciModel>(*this, kGciConstants);
  expect(std::isfinite(n) && n > 0, "a finite n above 0", constants);
  expect(std::isfinite(N) && N >= n, "a finite N of at least n", constants);
  check_curve(p_idle_w, p_peak_w, beta, constants);
}

double PiModel::power_w(double u) const {
  check();
  return curve_w(p_idle_w, p_peak_w, beta, u);
}

std::string PiModel::describe() const {
  return "pi4: Eq. 2, " + list_constants<PiModel>(*this, kPiConstants);
}

void PiModel::check() const {
  check_curve(p_idle_w, p_peak_w, beta, list_constants<PiModel>(*this, kPiConstants));
}

PowerConstants parse_constants(std::string_view text) {
  constexpr std::string_view kHint = "write name=value,name=value, e.g. p_idle_w=2.5,beta=1";
  PowerConstants constants;
  if (trim(text).empty()) return constants;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    const std::string_view item = trim(text.substr(from, comma - from));
    from = comma + 1;
    const std::string quoted = '"' + std::string(item) + '"';
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      throw std::invalid_argument(fault("name=value for a power constant", quoted, kHint));
    }
    const std::string name(trim(item.substr(0, equals)));
    const std::optional<double> value = parse_number(trim(item.substr(equals + 1)));
    if (name.empty() || !value || !std::isfinite(*value)) {
      throw std::invalid_argument(fault("a name and a finite number for a power constant", quoted, kHint));
    }
    for (const auto& earlier : constants) {
      if (earlier.first == name) {
        throw std::invalid_argument(fault("each power constant once", '"' + name + "\" twice", kHint));
      }
    }
    constants.emplace_back(name, *value);
  }
  return constants;
}

GciModel with_constants(GciModel model, const PowerConstants& constants) {
  return replace_constants<GciModel>(model, constants, kGciConstants);
}

PiModel with_constants(PiModel model, const PowerConstants& constants) {
  return replace_constants<PiModel>(model, constants, kPiConstants);
}

PowerModel::PowerModel(GciModel model, std::string label, std::string note)
    : model_(model), label_(std::move(label)), note_(std::move(note)) {
  model.check();
}

PowerModel::PowerModel(PiModel model, std::string label, std::string note)
    : model_(model), label_(std::move(label)), note_(std::move(note)) {
  model.check();
}

std::string PowerModel::name() const { return std::holds_alternative<GciModel>(model_) ? "gci" : "pi4"; }

double PowerModel::power_w(double u) const {
  return std::visit([u](const auto& model) { return model.power_w(u); }, model_);
}

std::string PowerModel::describe() const {
  return std::visit([](const auto& model) { return model.describe(); }, model_);
}

}  // namespace cbnet::energy

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/report.h"
#include "cbnet/predictor.h"
#include "tests/support/throws.h"

// Stand-ins for clocks, meters and models, which tell the tests what they did.

namespace cbnet::bench::testing {

/// A clock that moves only when it is told to.
struct ScriptedClock {
  std::int64_t now_ns = 0;

  Clock reader() {
    return [this] { return now_ns; };
  }
};

/// A meter on that clock with a constant power; or without energy, as a sensor that failed.
class ScriptedMeter final : public energy::Meter {
 public:
  ScriptedMeter(ScriptedClock& clock, std::optional<double> power_w) : clock_(clock), power_w_(power_w) {}

  void start() override { start_ns_ = clock_.now_ns; }
  energy::EnergyResult stop() override {
    energy::EnergyResult out;
    out.start_ns = start_ns_;
    out.stop_ns = clock_.now_ns;
    out.window_s = static_cast<double>(out.stop_ns - out.start_ns) * 1e-9;
    out.label = "modelled (a test)";
    out.source = "constant";
    out.power_w = power_w_;
    if (power_w_) {
      out.energy_j = *power_w_ * out.window_s;
      out.utilisation = 0.5;
    } else {
      out.warning = "the sensor is gone";
    }
    return out;
  }
  std::string describe() const override { return "a meter of the tests"; }

 private:
  ScriptedClock& clock_;
  std::optional<double> power_w_;
  std::int64_t start_ns_ = 0;
};

/// Labels an image by its first pixel modulo 10, leaves early when that pixel is below 200, and takes the
/// time that the test says.
class ScriptedPredictor : public Predictor {
 public:
  explicit ScriptedPredictor(const std::string& name)
      : Predictor(
            {name,
             "fmnist",
             data::class_names(data::DatasetId::fmnist),
             {1, 28, 28},
             name == "autoencoder" ? std::vector<std::int64_t>{1000} : std::vector<std::int64_t>{100, 500},
             7}) {}

  Predictions predict(const Tensor& images) override {
    Predictions out;
    const std::int64_t count = images.size(0);
    calls.push_back(count);
    out.probabilities = Tensor::zeros({count, 10});
    if (name() == "autoencoder") {
      out.converted = Tensor::full({count, 1, 28, 28}, pixel_error_at_batch_1 * (count == 1 ? 1 : 0));
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const auto pixel = static_cast<std::int64_t>(images.at({i, 0, 0, 0}));
      if (clock != nullptr) clock->now_ns += pixel < 200 ? easy_ns : hard_ns;
      if (name() == "autoencoder") continue;
      const bool lies = count == 1 && pixel == lie_about_pixel;
      out.labels.push_back((pixel + (lies ? 1 : 0)) % 10);
      out.exit.push_back(pixel < 200 ? 0 : 1);
      out.entropy.push_back(0.1);
      if (count == 1 && pixel == flip_exit_of_pixel) {
        out.exit.back() = 1 - out.exit.back();
        out.entropy.back() += entropy_error;
      }
      out.probabilities.select(0, i).select(0, out.labels.back()).fill(1.0);
    }
    return out;
  }

  ScriptedClock* clock = nullptr;
  std::int64_t easy_ns = 0, hard_ns = 0;
  /// What is wrong when images come one at a time; -1 is no pixel's value.
  std::int64_t lie_about_pixel = -1, flip_exit_of_pixel = -1;
  double entropy_error = 0.0, pixel_error_at_batch_1 = 0.0;
  std::vector<std::int64_t> calls;  // images of each
};

/// u8 (N, 1, 28, 28) whose first pixels are `pixels`.
inline Tensor images_of(const std::vector<std::uint8_t>& pixels) {
  Tensor out = Tensor::zeros({static_cast<std::int64_t>(pixels.size()), 1, 28, 28}, DType::u8);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    out.select(0, static_cast<std::int64_t>(i)).select(0, 0).select(0, 0).select(0, 0).fill(pixels[i]);
  }
  return out;
}

/// A block of `images` images that took `mean_us` each, and `power_w` if there is any.
inline Block block_of(std::int64_t images, double mean_us, std::optional<double> power_w) {
  Block block;
  block.passes = 1;
  block.images = images;
  block.image_ns.assign(static_cast<std::size_t>(images), mean_us * 1e3);
  block.energy.window_s = mean_us * 1e-6 * static_cast<double>(images);
  block.energy.power_w = power_w;
  if (power_w) block.energy.energy_j = *power_w * block.energy.window_s;
  block.energy.label = power_w ? "modelled (a test)" : "no energy model";
  block.energy.source = power_w ? "constant" : "none";
  return block;
}

inline Row row_of(const std::string& model, double mean_us, std::optional<double> power_w) {
  Row row;
  row.run = "runs/a";
  row.dataset = "fmnist";
  row.model = model;
  row.images = 100;
  row.blocks = {block_of(100, mean_us, power_w), block_of(100, mean_us, power_w),
                block_of(100, mean_us, power_w)};
  row.latency = summarise_latency(row.blocks);
  row.energy = summarise_energy(row.blocks);
  if (model != "autoencoder") row.accuracy = 0.875;
  row.exit_rates = {1.0};
  row.macs_by_exit = {1000};
  if (model == "branchynet") {
    row.exit_rates = {0.75, 0.25};
    row.macs_by_exit = {200, 1000};
  }
  row.macs_mean = model == "branchynet" ? 400.0 : 1000.0;
  row.weight_bytes = 4000;
  return row;
}

inline Report report_of(std::vector<Row> rows) {
  Report report;
  report.host.isa = "scalar";
  report.host.blas = "no BLAS";
  report.host.wait_policy = "passive";
  report.meter = "modelled (a test): constant";
  report.rows = std::move(rows);
  return report;
}

using cbnet::testing::contains;
using cbnet::testing::message_of;

}  // namespace cbnet::bench::testing

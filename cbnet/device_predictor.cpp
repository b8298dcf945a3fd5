#include "cbnet/device_predictor.h"

#include "runtime/device_plan.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

class DevicePredictor : public Predictor {
 public:
  DevicePredictor(PredictorInfo info, const runtime::Graph& graph,
                  const std::optional<runtime::Graph>& converter)
      : Predictor(std::move(info)), plan_(graph) {
    if (converter) converter_.emplace(*converter);
  }

  Predictions predict(const Tensor& images) override {
    const Tensor dense = images.contiguous();
    const cuda::NetAnswers& found = run_plan(plan_, dense);
    Predictions out;
    if (found.labels.empty()) {
      out.converted = Tensor::from(found.outputs, dense.shape());
      return out;
    }
    out.labels.assign(found.labels.begin(), found.labels.end());
    out.exit.assign(found.exits.begin(), found.exits.end());
    out.entropy.assign(found.entropy.begin(), found.entropy.end());
    const std::int64_t count = dense.size(0);
    out.probabilities =
        Tensor::from(found.outputs, {count, static_cast<std::int64_t>(found.outputs.size()) / count});
    if (converter_) out.converted = Tensor::from(run_plan(*converter_, dense).outputs, dense.shape());
    return out;
  }

  void run(const Tensor& images) override { static_cast<void>(run_plan(plan_, images.contiguous())); }

 private:
  const cuda::NetAnswers& run_plan(runtime::DevicePlan& plan, const Tensor& images) const {
    const Shape& shape = images.shape();
    require(shape.size() == 4 && Shape(shape.begin() + 1, shape.end()) == info().input, "predict",
            "expected images of ", info().input, "; got ", describe(images));
    return plan.run(images.data<std::uint8_t>(), shape[0]);
  }

  runtime::DevicePlan plan_;
  std::optional<runtime::DevicePlan> converter_;
};

}  // namespace

std::unique_ptr<Predictor> make_device_predictor(PredictorInfo info, const runtime::Graph& graph,
                                                 const std::optional<runtime::Graph>& converter) {
  return std::make_unique<DevicePredictor>(std::move(info), graph, converter);
}

}  // namespace cbnet

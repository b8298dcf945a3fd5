#include "bench/peers/calibration.h"

#include "runtime/plan.h"
#include "runtime/quantize.h"

namespace cbnet::peers {

std::vector<runtime::QuantParams> value_ranges(const PeerModel& model) {
  std::vector<runtime::QuantParams> out = {{1.0F / 255.0F, 0}};
  runtime::Graph part = model.graph;
  part.classifies = false;
  part.nodes.clear();
  for (const runtime::Node& node : model.graph.nodes) {
    part.nodes.push_back(node);
    if (node.kind == runtime::Kind::reshape) {
      out.push_back(out[static_cast<std::size_t>(node.inputs.front())]);
      continue;
    }
    const runtime::Plan plan(part);
    runtime::Workspace workspace(plan);
    out.push_back(runtime::calibrate(
        plan.run(model.calibration.data<float>(), model.calibration.size(0), workspace).output));
  }
  return out;
}

}  // namespace cbnet::peers

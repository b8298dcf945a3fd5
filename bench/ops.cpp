#include "bench/ops.h"

#include <algorithm>
#include <iostream>

#include "autograd/tape.h"
#include "bench/statistics.h"
#include "bench/timing.h"
#include "console/options.h"
#include "console/output.h"
#include "tensor/error.h"

namespace cbnet::bench {
namespace {

constexpr Manual kManual{
    "cbnet_bench", "ops", "[--op NAME] [options]",
    "Times every op of the engine on its own, forward and backward, in shapes that the paper's models\n"
    "call it with, batch 64. GB/s counts inputs read and output written; GMAC/s the multiply-adds.\n",
    R"(Examples:
  cbnet_bench ops --threads 1
  cbnet_bench ops --op conv2d --json conv2d.json
)"};

/// Returns ns per call of a block.
double block_ns(const std::function<void()>& call, double block_s) {
  return 1e3 * mean(time_block(call, block_s).us);
}

}  // namespace

OpTiming time_op(const OpCase& op, int blocks, double block_s) {
  require(blocks >= 1 && block_s >= 0, "ops", "expected at least one block of no negative length");
  std::vector<Variable> inputs, leaves;
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    inputs.emplace_back(op.inputs[i]);
    leaves.emplace_back(op.inputs[i], op.needs_grad[i]);
  }
  const auto forward = [&] {
    const NoGrad no_grad;
    return op.call(inputs);
  };
  const Tensor y = forward().value();
  const Tensor doutput = Tensor::ones(y.shape(), y.dtype());
  const auto both = [&] {
    Variable output = op.call(leaves);
    output.backward(doutput);
    for (Variable& leaf : leaves) leaf.zero_grad();
  };
  const auto recorded = [&] { static_cast<void>(op.call(leaves)); };
  both();
  std::vector<double> forwards, backwards;
  for (int block = 0; block < blocks; ++block) {
    forwards.push_back(block_ns(forward, block_s));
    // The backward takes what both take, less the forward that leaves a tape.
    backwards.push_back(std::max(0.0, block_ns(both, block_s) - block_ns(recorded, block_s)));
  }
  OpTiming out{median(forwards), half_range(forwards), median(backwards), half_range(backwards),
               y.numel() * 4};
  for (const Tensor& input : op.inputs) out.bytes += input.numel() * 4;
  return out;
}

int run_ops(const std::vector<std::string>& words) {
  CommandLine line(kManual);
  line.add("Measurement", "op", "NAME", "this op alone");
  line.add("Measurement", "repeats", "N", "blocks of each op (default: 5)");
  if (!line.parse(words, false)) return 0;
  const auto blocks = static_cast<int>(line.has("repeats") ? line.integer("repeats", 1, 1'000) : 5);
  constexpr double kBlockSeconds = 0.05;
  Json report = {{"schema", "cbnet-ops/1"}};
  report.update(machine_json(line.device()));
  report["blocks"] = blocks;
  report["block_s"] = kBlockSeconds;
  report["ops"] = Json::array();
  Table table({"op", "inputs", "forward, µs", "backward, µs", "GB/s", "GMAC/s"}, 2);
  std::vector<std::string> known;
  for (const OpCase& op : op_cases()) {
    known.push_back(op.name);
    if (line.has("op") && line.text("op") != op.name) continue;
    const OpTiming t = time_op(op, blocks, kBlockSeconds);
    std::string shapes;
    for (const Tensor& input : op.inputs) shapes += (shapes.empty() ? "" : " ") + to_string(input.shape());
    const double gb_per_s = static_cast<double>(t.bytes) / t.forward_ns;
    const double gmac_per_s = static_cast<double>(op.macs) / t.forward_ns;
    const auto time = [](double ns, double spread) {
      return fixed(ns / 1e3, 2) + " ± " + fixed(spread / 1e3, 2);
    };
    table.add({op.name, shapes, time(t.forward_ns, t.forward_spread_ns),
               time(t.backward_ns, t.backward_spread_ns), fixed(gb_per_s, 2),
               op.macs > 0 ? fixed(gmac_per_s, 1) : "-"});
    report["ops"].push_back({{"op", op.name},
                             {"inputs", shapes},
                             {"forward_ns", t.forward_ns},
                             {"forward_spread_ns", t.forward_spread_ns},
                             {"backward_ns", t.backward_ns},
                             {"backward_spread_ns", t.backward_spread_ns},
                             {"size_bytes", t.bytes},
                             {"macs", op.macs}});
  }
  if (report["ops"].empty())
    line.fail(concat("no op '", line.text("op"), "'", suggestion(line.text("op"), known, "")));
  std::cout << report["threads"] << " threads, ISA " << report["isa"].get<std::string>() << "; median of "
            << blocks << " blocks ± half their range\n\n";
  table.print(std::cout);
  write_report(line.json_file(), report);
  return 0;
}

}  // namespace cbnet::bench

#include "bench/ops.h"

#include <set>

#include "console/options.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::bench;

TEST_CASE("ops: wrong use is refused") {
  CHECK_THROWS_SAYING(run_ops({"--op", "convd2"}), UsageError, "no op 'convd2'; did you mean conv2d?");
  CHECK_THROWS_SAYING(run_ops({"--repeats", "0"}), UsageError, "--repeats");
}

TEST_CASE("ops: every op is called, and its backward reaches every input") {
  std::set<std::string> names;
  for (const OpCase& op : op_cases()) {
    CAPTURE(op.name);
    CHECK(names.insert(op.name).second);
    REQUIRE(op.needs_grad.size() == op.inputs.size());
    std::vector<Variable> leaves;
    for (std::size_t i = 0; i < op.inputs.size(); ++i) leaves.emplace_back(op.inputs[i], op.needs_grad[i]);
    Variable y = op.call(leaves);
    y.backward(Tensor::ones(y.shape(), y.dtype()));
    for (std::size_t i = 0; i < leaves.size(); ++i) CHECK(leaves[i].grad().defined() == op.needs_grad[i]);
    const OpTiming timing = time_op(op, 2, 0.0);
    CHECK(timing.forward_ns > 0);
    CHECK(timing.bytes >= 4 * op.inputs[0].numel());
  }
  CHECK(names.count("conv2d") == 1);
  CHECK(names.count("div") == 1);
}

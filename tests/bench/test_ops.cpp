#include "bench/ops.h"

#include <set>

#include "console/options.h"
#include "models/json.h"
#include "tensor/io.h"
#include "tests/support/temp_folder.h"
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

TEST_CASE("ops: the JSON is what docs/bench-json.md says") {
  const testing::TempFolder folder;
  CHECK(run_ops({"--op", "relu", "--repeats", "1", "--json", folder / "ops.json"}) == 0);
  const Json report = parse_json(read_file(folder / "ops.json"));
  CHECK(report.at("schema") == "cbnet-ops/1");
  for (const char* key : {"version", "device", "isa", "blas", "threads", "wait_policy"})
    CHECK_MESSAGE(report.contains(key), key);
  CHECK(report.at("blocks") == 1);
  CHECK(report.at("block_s") > 0.0);
  REQUIRE(report.at("ops").size() == 1);
  const Json& op = report.at("ops").at(0);
  CHECK(op.at("op") == "relu");
  CHECK(op.at("forward_ns") > 0.0);
  CHECK(op.at("backward_ns") >= 0.0);
  CHECK(op.at("forward_spread_ns") == 0.0);
  CHECK(op.at("backward_spread_ns") == 0.0);
  CHECK(op.at("size_bytes") > 0);
  CHECK(op.at("macs") == 0);
  CHECK_FALSE(op.at("inputs").get<std::string>().empty());
}

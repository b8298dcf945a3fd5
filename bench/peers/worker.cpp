// This is the main program of every engine's worker. `WORKER --about` prints what it offers; `WORKER JOB`, a
// JSON object, builds a model, compares its outputs with the f64 reference, and then times a block for each
// "block SECONDS" on the standard input. Every answer is one line of JSON.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <sstream>

#include "bench/peers/comparison.h"
#include "bench/peers/engine.h"
#include "bench/peers/workload.h"
#include "bench/statistics.h"
#include "bench/timing.h"
#include "console/run_main.h"
#include "models/json.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

namespace cbnet::peers {
namespace {

void answer(const Json& json) { std::cout << json.dump() << std::endl; }

Json about() {
  const EngineInfo info = engine_info();
  Json variants = Json::array();
  for (const Variant& variant : info.variants)
    variants.push_back(
        {{"variant", variant.name}, {"precision", variant.precision}, {"setup", variant.setup}});
  return {{"engine", info.name},
          {"version", info.version},
          {"openmp_blas", info.openmp_blas},
          {"variants", variants}};
}

const Variant& find(const EngineInfo& info, const std::string& name) {
  for (const Variant& variant : info.variants) {
    if (name == variant.name) return variant;
  }
  throw InputError("job", "a variant of " + info.name, name);
}

/// Returns why the variant does not run the model, or nothing where it does.
std::string refusal(const Variant& variant, const PeerModel& model, std::int64_t batch) {
  if (!model.is_graph()) return variant.takes(model, batch) ? "" : "not one of its sequences of layers";
  return variant.cannot == nullptr ? kSequencesAlone : variant.cannot(model);
}

/// An engine differs from the reference by so much: the largest, as a fraction of the largest output, and
/// their root mean square, as a fraction of the outputs'; and `agree` is the fraction of images whose largest
/// output is the same.
struct Error {
  double worst = 0.0, rms = 0.0, agree = 0.0;
};
Error error_of(const std::vector<float>& out, const std::vector<double>& expected, std::int64_t width) {
  double worst = 0.0, largest = 0.0, squares = 0.0, of_outputs = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(static_cast<double>(out[i]) - expected[i]);
    // NaN compares with nothing.
    worst = difference <= worst ? worst : (std::isnan(difference) ? HUGE_VAL : difference);
    largest = std::max(largest, std::abs(expected[i]));
    squares += difference * difference;
    of_outputs += expected[i] * expected[i];
  }
  std::int64_t same = 0, images = 0;
  for (std::size_t at = 0; at < expected.size(); at += static_cast<std::size_t>(width), ++images) {
    const auto a = out.begin() + static_cast<std::ptrdiff_t>(at);
    const auto b = expected.begin() + static_cast<std::ptrdiff_t>(at);
    same += std::max_element(a, a + width) - a == std::max_element(b, b + width) - b ? 1 : 0;
  }
  return {worst / largest, std::sqrt(squares / of_outputs),
          static_cast<double>(same) / static_cast<double>(images)};
}

void softmax_rows(std::vector<double>& values, std::int64_t width) {
  for (auto row = values.begin(); row != values.end(); row += width) {
    const double top = *std::max_element(row, row + width);
    double sum = 0.0;
    for (auto v = row; v != row + width; ++v) sum += * v = std::exp(*v - top);
    for (auto v = row; v != row + width; ++v) *v /= sum;
  }
}

int serve(const Json& job) {
  const EngineInfo info = engine_info();
  const Variant& variant = find(info, job.at("variant"));
  const auto batch = job.at("batch").get<std::int64_t>();
  const auto threads = job.at("threads").get<int>();
  Workload workload = load_workload(job.at("folder").get<std::string>());
  PeerModel model = std::move(workload.model);
  if (job.at("folded").get<bool>()) model = folded(model);
  if (const std::string why = refusal(variant, model, batch); !why.empty()) {
    answer({{"takes", false}, {"why", why}});
    return 0;
  }
  const std::int64_t n = std::max(job.at("images").get<std::int64_t>(), batch);
  require(n % batch == 0 && n <= workload.pixels.size(0), "peers", "there are ", workload.pixels.size(0),
          " images; got batches of ", batch, " to ", n);
  const Tensor pixels = workload.pixels.slice(0, 0, n);
  std::vector<double> expected = workload.expected.slice(0, 0, n).to_vector<double>();
  if (variant.probabilities && model.classifies()) softmax_rows(expected, model.width);

  set_num_threads(threads);
  const std::unique_ptr<Engine> engine = variant.make();
  try {
    engine->prepare(model, batch, threads);
  } catch (const std::exception& error) {
    if (!model.is_graph()) throw;
    // Libraries say only while they build it what they have no kernel for.
    answer({{"takes", false}, {"why", error.what()}});
    return 0;
  }
  std::vector<float> out(static_cast<std::size_t>(n * model.width));
  const float* in = pixels.data<float>();
  const std::int64_t each = numel(model.spec.input);
  const auto pass = [&] {
    for (std::int64_t i = 0; i < n; i += batch) engine->run(in + i * each, out.data() + i * model.width);
  };
  pass();
  // What the first pass left behind must not matter.
  for (std::int64_t i = 0; i < n; i += batch) {
    float* const to = out.data() + i * model.width;
    const float* const from = engine->run(in + i * each, to);
    if (from != to) std::copy_n(from, batch * model.width, to);
  }
  const Error error = error_of(out, expected, model.width);
  answer({{"takes", true}, {"error", error.worst}, {"rms_error", error.rms}, {"agree", error.agree}});

  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    double block_s = 0.0;
    if (!(words >> command >> block_s) || command != "block")
      throw InputError("stdin", "block SECONDS", line);
    static_cast<void>(bench::time_block(pass, 0.2 * block_s));
    const bench::TimedBlock block = bench::time_block(pass, block_s);
    constexpr double kPercents[] = {50.0, 10.0};
    const std::vector<double> us = bench::percentiles(block.us, kPercents);
    const auto images = static_cast<double>(n);
    answer({{"us", us[0] / images},
            {"low_us", us[1] / images},
            {"passes", block.us.size()},
            {"busy", block.busy},
            {"cpu_us", block.cpu_us / images}});
  }
  return 0;
}

int run(int argc, char** argv) {
  if (argc != 2) throw InputError("arguments", "--about or a job", concat(argc - 1, " words"));
  const std::string word = argv[1];
  if (word != "--about") return serve(parse_json(word, "job"));
  answer(about());
  return 0;
}

}  // namespace
}  // namespace cbnet::peers

int main(int argc, char** argv) {
  return cbnet::run_main("peer worker", [&] { return cbnet::peers::run(argc, argv); });
}

#include "bench/run_timer.h"

#include "bench/networks.h"
#include "models/zoo.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::bench;

namespace {

Model model_of(const std::string& name, std::unique_ptr<Network> network) {
  Model out;
  out.info.model = name;
  out.info.dataset = "fmnist";
  out.network = std::move(network);
  out.network->eval();
  return out;
}

TrainedRun random_run() {
  auto branchynet = std::make_unique<Network>(branchynet_spec(), 2);
  auto classifier = truncate_at_exit(*branchynet, 0, "classifier");
  TrainedRun out{"runs/a",
                 "fmnist",
                 model_of("lenet", std::make_unique<Network>(lenet_spec(), 1)),
                 model_of("branchynet", std::move(branchynet)),
                 model_of("autoencoder", std::make_unique<Network>(
                                             autoencoder_spec("fmnist", OutputActivation::sigmoid), 3)),
                 model_of("classifier", std::move(classifier))};
  out.branchynet.info.thresholds = {2.2};  // nats, of ln 10 = 2.3: some go on
  return out;
}

Tensor pictures(std::int64_t count) { return noise_images(count, {1, 28, 28}, count, 7); }

}  // namespace

TEST_CASE("protocols: wrong names and missing runs are errors") {
  const TrainedRun run = random_run();
  const Tensor images = pictures(20);
  TimerOptions options;
  options.protocols = {"fast"};
  CHECK_THROWS_SAYING(timed_subjects(run, images, options), std::invalid_argument, "got 'fast'");
  options.rounds = 0;
  CHECK_THROWS_SAYING(time_subjects({}, options), std::invalid_argument, "rounds");
  CHECK_THROWS_SAYING(load_trained_run("no-such-run"), std::runtime_error, "expected a run folder");
}

TEST_CASE("protocols: every model has a time under each of them") {
  const TrainedRun run = random_run();
  const Tensor images = pictures(70);
  TimerOptions options;
  options.rounds = 2;
  options.min_block_s = 0.001;
  options.arrival_s = 0.0001;
  options.arrival_images = 5;
  const std::vector<TimedSubject> subjects = timed_subjects(run, images, options);
  CHECK(subjects.size() == 5 * timer_protocols().size());
  for (const TimedSubject& subject : subjects)
    CHECK(subject.images == (subject.protocol == "arrival" ? 5 : 70));
  for (const ProtocolTime& time : time_subjects(subjects, options)) {
    CAPTURE(time.model);
    CAPTURE(time.protocol);
    CHECK(time.us > 0.0);
    CHECK(time.low <= time.us);
    CHECK(time.us <= time.high);
  }
}

TEST_CASE("protocols: a BranchyNet without its threshold is not timed") {
  TrainedRun run = random_run();
  const Tensor images = pictures(40);
  TimerOptions options;
  options.protocols = {"authors"};
  CHECK(timed_subjects(run, images, options).size() == 5);
  run.branchynet.info.thresholds = {};
  CHECK_THROWS_AS(timed_subjects(run, images, options), std::invalid_argument);
}

TEST_CASE("protocols: the least work leaves zeros out, and no more") {
  const TrainedRun run = random_run();
  const Tensor noise = pictures(16), black = Tensor::zeros({16, 1, 28, 28}, DType::u8);
  const auto of = [&](const Tensor& images, const std::string& model) {
    for (const LeastWork& least : least_work(run, images)) {
      if (least.model == model) return least.macs;
    }
    return -1.0;
  };
  CHECK(of(noise, "lenet") <= 1'140'070.0);
  CHECK(of(noise, "lenet") > 100'000.0);
  CHECK(of(black, "autoencoder") < of(noise, "autoencoder"));
  CHECK(of(noise, "cbnet") == of(noise, "autoencoder") + of(noise, "classifier"));
}

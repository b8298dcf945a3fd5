#include "bench/run_timer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "autograd/tape.h"
#include "bench/statistics.h"
#include "cbnet/run_folder.h"
#include "data/batches.h"
#include "models/compile.h"
#include "models/kinds/linear.h"
#include "runtime/plan.h"
#include "tensor/error.h"

namespace cbnet::bench {
namespace {

constexpr std::array<TimerProtocol, 7> kProtocols{{
    {"fair", "one image a call, pixels in to label out, everything inside the timer"},
    {"throughput-32", "the same in batches of 32"},
    {"throughput-1024", "the same in batches of 1,024"},
    {"paper", "one timer around the whole test set, image after image"},
    {"authors",
     "networks in batches of 10, without branch, softmax, entropy and regrouping; autoencoder in 32s"},
    {"authors-whole", "those batches, everything inside the timer"},
    {"arrival", "one image at a time with a pause between two"},
}};

constexpr std::int64_t kNetworkBatch = 10, kAutoencoderBatch = 32;
constexpr std::int64_t kChecked = 500;

using Clock = std::chrono::steady_clock;

template <class F>
double seconds_of(F work) {
  const Clock::time_point start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A plan with a workspace of its own, and how many numbers of an image it reads.
class Engine {
 public:
  explicit Engine(const runtime::Graph& graph)
      : plan_(graph), workspace_(plan_), numbers_(numel(plan_.graph().input)) {}

  template <class Pixel>
  runtime::Results run(const Pixel* first, std::int64_t begin, std::int64_t count) {
    return plan_.run(first + begin * numbers_, count, workspace_);
  }
  std::int64_t numbers() const { return numbers_; }
  const runtime::Plan& plan() const { return plan_; }

 private:
  runtime::Plan plan_;
  runtime::Workspace workspace_;
  std::int64_t numbers_;
};
using SharedEngine = std::shared_ptr<Engine>;

template <class Call>
void in_turn(std::int64_t images, std::int64_t batch, Call call) {
  for (std::int64_t begin = 0; begin < images; begin += batch) call(begin, std::min(batch, images - begin));
}

SharedEngine engine_of(const runtime::Graph& graph) { return std::make_shared<Engine>(graph); }

/// Makes a plan of a part of a network that ends in numbers and not in a label, from what a network of this
/// run reads.
SharedEngine part_engine(const Network& part, const Normalisation& normalisation = {}) {
  runtime::Graph graph = autoencoder_graph(part, 1.0);
  insert_normalisation(graph, 0, normalisation, "");
  return engine_of(graph);
}

std::int64_t largest_of(std::span<const float> numbers) {
  return std::ranges::max_element(numbers) - numbers.begin();
}

/// BranchyNet as the public code times it: only trunk layers count.
class StagedBranchyNet {
 public:
  explicit StagedBranchyNet(const Model& model) {
    const Network& network = *model.network;
    require(network.spec().exits.size() == 1, "authors", "expected one side exit; got ",
            network.spec().exits.size());
    const std::int64_t after = network.spec().exits[0].after;
    head_ = part_engine(*trunk_part(network, 0, after, "head"), model.info.normalisation);
    branch_ = engine_of(classifier_graph(*branch_part(network, 0, "branch"), {}));
    tail_ = part_engine(
        *trunk_part(network, after, static_cast<std::int64_t>(network.spec().trunk.size()), "tail"));
    threshold_ = model.info.thresholds.at(0);
  }

  /// Appends labels where they are asked for; returns the seconds of the trunk.
  double pass(const std::uint8_t* pixels, std::int64_t images, std::vector<std::int64_t>* labels) {
    double seconds = 0.0;
    in_turn(images, kNetworkBatch, [&](std::int64_t begin, std::int64_t count) {
      runtime::Results at, exit;
      seconds += seconds_of([&] { at = head_->run(pixels, begin, count); });
      exit = branch_->run(at.output.data(), 0, count);
      hard_.clear();
      std::vector<std::int64_t> rows;
      const auto numbers = static_cast<std::size_t>(tail_->numbers());
      for (std::size_t i = 0; i < exit.labels.size(); ++i) {
        if (exit.entropy[i] < threshold_) continue;
        rows.push_back(static_cast<std::int64_t>(i));
        const auto row = at.output.subspan(i * numbers, numbers);
        hard_.insert(hard_.end(), row.begin(), row.end());
      }
      runtime::Results rest;
      if (!rows.empty())
        seconds +=
            seconds_of([&] { rest = tail_->run(hard_.data(), 0, static_cast<std::int64_t>(rows.size())); });
      if (labels == nullptr) return;
      labels->insert(labels->end(), exit.labels.begin(), exit.labels.end());
      const std::size_t classes = rows.empty() ? 0 : rest.output.size() / rows.size();
      for (std::size_t r = 0; r < rows.size(); ++r)
        (*labels)[static_cast<std::size_t>(begin + rows[r])] =
            largest_of(rest.output.subspan(r * classes, classes));
    });
    return seconds;
  }

 private:
  SharedEngine head_, branch_, tail_;
  double threshold_ = 0.0;
  std::vector<float> hard_;
};

/// The autoencoder over a whole set, and then what classifies: the lightweight classifier as a whole or, as
/// the public code times it, its trunk alone.
class StagedCbnet {
 public:
  StagedCbnet(const TrainedRun& run, SharedEngine classifier)
      : autoencoder_(engine_of(model_graph(run.autoencoder))), classifier_(std::move(classifier)) {}

  double pass(const std::uint8_t* pixels, std::int64_t images) {
    converted_.resize(static_cast<std::size_t>(images * autoencoder_->numbers()));
    double seconds = 0.0;
    in_turn(images, kAutoencoderBatch, [&](std::int64_t begin, std::int64_t count) {
      runtime::Results made;
      seconds += seconds_of([&] { made = autoencoder_->run(pixels, begin, count); });
      std::ranges::copy(made.output, converted_.begin() + begin * autoencoder_->numbers());
    });
    in_turn(images, kNetworkBatch, [&](std::int64_t begin, std::int64_t count) {
      seconds += seconds_of([&] { last_ = classifier_->run(converted_.data(), begin, count); });
      if (labels_ != nullptr) labels_->insert(labels_->end(), last_.labels.begin(), last_.labels.end());
    });
    return seconds;
  }

  std::vector<std::int64_t> labels(const std::uint8_t* pixels, std::int64_t images) {
    std::vector<std::int64_t> out;
    labels_ = &out;
    static_cast<void>(pass(pixels, images));
    labels_ = nullptr;
    return out;
  }

 private:
  SharedEngine autoencoder_, classifier_;
  std::vector<float> converted_;
  runtime::Results last_;
  std::vector<std::int64_t>* labels_ = nullptr;
};

/// Answers that lie on an edge may come out differently in batches of another size; more is an error.
void require_same(const std::string& what, const std::vector<std::int64_t>& got,
                  const std::vector<std::int64_t>& expected) {
  std::size_t differ = got.size() == expected.size() ? 0 : expected.size();
  for (std::size_t i = 0; differ == 0 && i < got.size(); ++i) differ += got[i] != expected[i] ? 1 : 0;
  if (100 * differ > expected.size())
    throw std::runtime_error(concat("authors: ", what, " gives other labels than its plan for ", differ,
                                    " of ", expected.size(), " images; nothing was timed"));
}

class Subjects {
 public:
  Subjects(const TrainedRun& run, const Tensor& images, const TimerOptions& options)
      : run_(run), options_(options), pixels_(images.data<std::uint8_t>()), count_(images.size(0)) {
    for (const char* model : {"lenet", "branchynet", "autoencoder", "classifier", "cbnet"})
      plans_.emplace_back(model, engine_of(graph_of(model)));
  }

  std::vector<TimedSubject> all() {
    for (const TimerProtocol& protocol : timer_protocols()) {
      const std::string name = protocol.name;
      if (!options_.protocols.empty() &&
          std::ranges::find(options_.protocols, name) == options_.protocols.end())
        continue;
      for (auto& [model, engine] : plans_) add(model, name, engine);
    }
    return std::move(out_);
  }

 private:
  runtime::Graph graph_of(const std::string& model) const {
    if (model == "cbnet") return cbnet_graph(run_.autoencoder, run_.classifier);
    if (model == "lenet") return model_graph(run_.lenet);
    if (model == "branchynet") return model_graph(run_.branchynet);
    return model_graph(model == "autoencoder" ? run_.autoencoder : run_.classifier);
  }

  void add(const std::string& model, const std::string& protocol, const SharedEngine& engine) {
    std::int64_t images = count_;
    std::function<double()> pass;
    if (protocol == "authors" || protocol == "authors-whole") {
      pass = authors_pass(model, protocol == "authors-whole", engine);
    } else if (protocol == "arrival") {
      images = std::min(count_, options_.arrival_images);
      pass = arrival_pass(engine, images);
    } else if (protocol == "paper") {
      pass = [this_ = view(), engine] {
        return seconds_of([&] {
          in_turn(this_.count, 1, [&](std::int64_t i, std::int64_t n) {
            static_cast<void>(engine->run(this_.pixels, i, n));
          });
        });
      };
    } else {
      const std::int64_t batch = protocol == "fair" ? 1 : protocol == "throughput-32" ? 32 : 1024;
      pass = batched_pass(engine, batch);
    }
    out_.push_back({model, protocol, images, std::move(pass)});
  }

  struct View {
    const std::uint8_t* pixels;
    std::int64_t count;
  };
  View view() const { return {pixels_, count_}; }

  std::function<double()> batched_pass(const SharedEngine& engine, std::int64_t batch) const {
    return [at = view(), engine, batch] {
      double seconds = 0.0;
      in_turn(at.count, batch, [&](std::int64_t begin, std::int64_t count) {
        seconds += seconds_of([&] { static_cast<void>(engine->run(at.pixels, begin, count)); });
      });
      return seconds;
    };
  }

  std::function<double()> arrival_pass(const SharedEngine& engine, std::int64_t images) const {
    const auto pause =
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options_.arrival_s));
    return [at = view(), engine, images, pause] {
      double seconds = 0.0;
      Clock::time_point next = Clock::now();
      for (std::int64_t i = 0; i < images; ++i) {
        std::this_thread::sleep_until(next += pause);
        seconds += seconds_of([&] { static_cast<void>(engine->run(at.pixels, i, 1)); });
      }
      return seconds;
    };
  }

  std::function<double()> authors_pass(const std::string& model, bool whole, const SharedEngine& engine) {
    if (model == "autoencoder") return batched_pass(engine, kAutoencoderBatch);
    if (model == "cbnet") return cbnet_pass(whole, engine);
    if (whole) return batched_pass(engine, kNetworkBatch);
    if (model == "branchynet") {
      auto staged = std::make_shared<StagedBranchyNet>(run_.branchynet);
      std::vector<std::int64_t> labels;
      static_cast<void>(staged->pass(pixels_, checked(), &labels));
      require_same(model, labels, labels_of(*engine));
      return [staged, at = view()] { return staged->pass(at.pixels, at.count, nullptr); };
    }
    if (model == "classifier") return batched_pass(classifier_trunk(), kNetworkBatch);
    const SharedEngine logits = part_engine(*run_.lenet.network, run_.lenet.info.normalisation);
    const std::span<const float> numbers = logits->run(pixels_, 0, checked()).output;
    std::vector<std::int64_t> labels;
    const std::size_t classes = numbers.size() / static_cast<std::size_t>(checked());
    for (std::size_t i = 0; i < static_cast<std::size_t>(checked()); ++i)
      labels.push_back(largest_of(numbers.subspan(i * classes, classes)));
    require_same(model, labels, labels_of(*engine));
    return batched_pass(logits, kNetworkBatch);
  }

  std::function<double()> cbnet_pass(bool whole, const SharedEngine& engine) {
    const SharedEngine all = engine_of(model_graph(run_.classifier));
    require_same("cbnet", StagedCbnet(run_, all).labels(pixels_, checked()), labels_of(*engine));
    auto staged = std::make_shared<StagedCbnet>(run_, whole ? all : classifier_trunk());
    return [staged, at = view()] { return staged->pass(at.pixels, at.count); };
  }

  /// The layers of the lightweight classifier that are BranchyNet's trunk.
  SharedEngine classifier_trunk() const {
    const std::int64_t after = run_.branchynet.network->spec().exits.at(0).after;
    return part_engine(*trunk_part(*run_.classifier.network, 0, after, "head"),
                       run_.classifier.info.normalisation);
  }

  std::int64_t checked() const { return std::min(count_, kChecked); }
  std::vector<std::int64_t> labels_of(Engine& engine) const {
    const std::span<const std::int64_t> labels = engine.run(pixels_, 0, checked()).labels;
    return {labels.begin(), labels.end()};
  }

  const TrainedRun& run_;
  const TimerOptions& options_;
  const std::uint8_t* pixels_;
  std::int64_t count_;
  std::vector<std::pair<std::string, SharedEngine>> plans_;
  std::vector<TimedSubject> out_;
};

/// Returns the smallest fraction of numbers that are not zero in what a linear layer of the trunk reads.
double nonzero_fraction(Network& network, const Normalisation& normalisation, const Tensor& images) {
  const NoGrad no_grad;
  const Variable x = network.input(normalised(data::to_float(images), normalisation));
  const LayerSpecs& trunk = network.spec().trunk;
  double least = 1.0;
  for (std::size_t i = 0; i < trunk.size(); ++i) {
    if (!trunk[i].is<kinds::Linear>()) continue;
    const std::vector<float> read =
        network.forward_trunk(x, 0, static_cast<std::int64_t>(i)).value().to_vector<float>();
    const auto zeros = static_cast<double>(std::ranges::count(read, 0.0F));
    least = std::min(least, 1.0 - zeros / static_cast<double>(read.size()));
  }
  return least;
}

double least_macs(const Model& model, const Tensor& images) {
  const double nonzero = nonzero_fraction(*model.network, model.info.normalisation, images);
  Engine engine(model_graph(model));
  double all = 0.0, least = 0.0;
  for (const runtime::StepInfo& step : engine.plan().steps()) {
    const auto macs = static_cast<double>(step.macs);
    // Each weight of a linear layer is used once an image; convolutions use theirs again and again.
    const bool linear = step.weight_bytes >= 4 * step.macs;
    all += macs;
    least += macs * (step.winograd ? 0.25 : 1.0) * (linear ? nonzero : 1.0);
  }
  if (model.network->spec().exits.empty()) return least;
  const runtime::Results results = engine.run(images.data<std::uint8_t>(), 0, images.size(0));
  const std::vector<std::int64_t> by_exit = engine.plan().macs_by_exit();
  double taken = 0.0;
  for (const std::int32_t exit : results.exit)
    taken += static_cast<double>(by_exit.at(static_cast<std::size_t>(exit)));
  return least / all * taken / static_cast<double>(results.exit.size());
}

}  // namespace

std::span<const TimerProtocol> timer_protocols() { return kProtocols; }

TrainedRun load_trained_run(const std::string& folder) {
  const RunFolder at(folder);
  at.require_exists();
  const CbnetParts parts = at.read_cbnet();
  TrainedRun out{folder,
                 "",
                 load_model(at.model_file("lenet")),
                 load_model(at.model_file("branchynet")),
                 load_model(at.path() / parts.autoencoder),
                 load_model(at.path() / parts.classifier)};
  out.dataset = out.lenet.info.dataset;
  for (const Model* model : {&out.branchynet, &out.autoencoder, &out.classifier}) {
    if (model->info.dataset != out.dataset)
      throw InputError(folder, concat("models of ", out.dataset, ", as LeNet is"),
                       concat(model->info.model, " of ", model->info.dataset), "name a run of `cbnet train`");
  }
  for (Model* model : {&out.lenet, &out.branchynet, &out.autoencoder, &out.classifier})
    model->network->eval();
  return out;
}

std::vector<TimedSubject> timed_subjects(const TrainedRun& run, const Tensor& images,
                                         const TimerOptions& options) {
  for (const std::string& name : options.protocols) {
    const bool known = std::ranges::any_of(kProtocols, [&](const auto& each) { return name == each.name; });
    require(known, "protocols",
            "expected fair, throughput-32, throughput-1024, paper, authors, authors-whole or "
            "arrival; got '",
            name, "'");
  }
  return Subjects(run, images, options).all();
}

std::vector<ProtocolTime> time_subjects(const std::vector<TimedSubject>& subjects,
                                        const TimerOptions& options) {
  require(options.rounds >= 1, "protocols", "rounds must be at least 1; got ", options.rounds);
  std::vector<std::vector<double>> us(subjects.size());
  int done = 0;
  for (int round = 0; round < options.rounds; ++round) {
    for (std::size_t turn = 0; turn < subjects.size(); ++turn) {
      const std::size_t s = round % 2 == 0 ? turn : subjects.size() - 1 - turn;
      const TimedSubject& subject = subjects[s];
      if (options.progress)
        options.progress(concat(subject.model, ", ", subject.protocol), done++,
                         options.rounds * static_cast<int>(subjects.size()));
      if (round == 0 && subject.protocol != "arrival") static_cast<void>(subject.pass());  // a warm-up
      double seconds = 0.0;
      std::int64_t passes = 0;
      do {
        seconds += subject.pass();
        ++passes;
      } while (subject.protocol != "arrival" && seconds < options.min_block_s);
      us[s].push_back(1e6 * seconds / static_cast<double>(passes * subject.images));
    }
  }
  std::vector<ProtocolTime> out;
  for (std::size_t s = 0; s < subjects.size(); ++s) {
    const auto [low, high] = std::ranges::minmax(us[s]);
    out.push_back({subjects[s].model, subjects[s].protocol, subjects[s].images, median(us[s]), low, high});
  }
  return out;
}

std::vector<LeastWork> least_work(const TrainedRun& run, const Tensor& images) {
  const double converting = least_macs(run.autoencoder, images),
               classifying = least_macs(run.classifier, images);
  return {{"lenet", least_macs(run.lenet, images)},
          {"branchynet", least_macs(run.branchynet, images)},
          {"autoencoder", converting},
          {"classifier", classifying},
          {"cbnet", converting + classifying}};
}

}  // namespace cbnet::bench

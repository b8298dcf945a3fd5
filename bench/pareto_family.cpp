#include <algorithm>
#include <array>
#include <cmath>

#include "bench/pareto.h"
#include "models/kinds/conv2d.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/relu.h"
#include "tensor/error.h"
#include "tensor/version.h"

namespace cbnet::bench {
namespace {

using namespace kinds;

constexpr std::array<std::int64_t, 5> kStems = {0, 0, 2, 3, 4};
constexpr std::array<std::int64_t, 8> kFirsts = {24, 32, 48, 64, 96, 128, 192, 256};
constexpr std::array<std::int64_t, 4> kCodes = {0, 16, 32, 64};

template <std::size_t N>
std::int64_t any_of(const std::array<std::int64_t, N>& values, Rng& rng) {
  return values[static_cast<std::size_t>(rng.below(N))];
}

}  // namespace

std::string name_of(const Candidate& c) {
  return concat("stem", c.stem, "-first", c.first, "-code", c.code, c.exit ? "-exit" : "");
}

NetworkSpec spec_of(const Candidate& c, const ImageTask& task) {
  NetworkSpec out{name_of(c), task.input, {}, {}, Init::he_normal};
  if (c.stem > 0) {
    out.trunk = {Conv2d{.out = c.stem, .kernel_size = 3, .padding = 1},
                 MaxPool2d{.kernel_size = 2, .stride = 2}, Relu{}};
  }
  out.trunk.insert(out.trunk.end(), {Flatten{}, Linear{.out = c.first}, Relu{}});
  if (c.exit)
    out.exits.push_back({static_cast<std::int64_t>(out.trunk.size()), {Linear{.out = task.classes}}});
  if (c.code > 0) out.trunk.insert(out.trunk.end(), {Linear{.out = c.code}, Relu{}});
  out.trunk.push_back(Linear{.out = task.classes});
  return out;
}

Candidate random_candidate(Rng& rng) {
  return {any_of(kStems, rng), any_of(kFirsts, rng), any_of(kCodes, rng), rng.below(4) == 0};
}

Candidate mutated(const Candidate& candidate, Rng& rng) {
  Candidate out = candidate;
  while (out == candidate) {
    const Candidate other = random_candidate(rng);
    switch (rng.below(4)) {
      case 0:
        out.stem = other.stem;
        break;
      case 1:
        out.first = other.first;
        break;
      case 2:
        out.code = other.code;
        break;
      default:
        out.exit = !out.exit;
    }
  }
  return out;
}

std::vector<ParetoPoint> front_of(std::vector<ParetoPoint> points) {
  std::stable_sort(points.begin(), points.end(), [](const ParetoPoint& a, const ParetoPoint& b) {
    return a.latency_us < b.latency_us || (a.latency_us == b.latency_us && a.accuracy > b.accuracy);
  });
  std::vector<ParetoPoint> out;
  for (const ParetoPoint& point : points)
    if (out.empty() || point.accuracy > out.back().accuracy) out.push_back(point);
  return out;
}

std::string pareto_svg(const std::vector<ParetoPoint>& points, const std::string& title) {
  require(!points.empty(), "pareto", "there is nothing to draw");
  constexpr double kWidth = 760, kHeight = 440, kLeft = 60, kRight = 150, kTop = 40, kBottom = 50;
  const auto by_time = [](const ParetoPoint& a, const ParetoPoint& b) { return a.latency_us < b.latency_us; };
  const auto by_accuracy = [](const ParetoPoint& a, const ParetoPoint& b) { return a.accuracy < b.accuracy; };
  const auto [fast, slow] = std::minmax_element(points.begin(), points.end(), by_time);
  const auto [low, high] = std::minmax_element(points.begin(), points.end(), by_accuracy);
  const double x0 = std::log(fast->latency_us * 0.9), x1 = std::log(slow->latency_us * 1.1);
  const double y0 = low->accuracy - 0.002, y1 = high->accuracy + 0.002;
  const auto x_of = [&](double us) {
    return kLeft + (std::log(us) - x0) / (x1 - x0) * (kWidth - kLeft - kRight);
  };
  const auto y_of = [&](double accuracy) {
    return kHeight - kBottom - (accuracy - y0) / (y1 - y0) * (kHeight - kTop - kBottom);
  };
  const auto text = [](double x, double y, const std::string& words, const char* anchor) {
    return concat("<text x='", fixed(x, 1), "' y='", fixed(y, 1), "' text-anchor='", anchor, "'>", words,
                  "</text>\n");
  };
  std::string out =
      concat("<svg xmlns='http://www.w3.org/2000/svg' width='", kWidth, "' height='", kHeight,
             "' font-family='sans-serif' font-size='11'>\n<rect width='100%' height='100%' "
             "fill='white'/>\n",
             text(kLeft, 22, title, "start"),
             text(kWidth / 2, kHeight - 8, "time of an image, us (batch 1, one thread)", "middle"));
  for (const double us : {0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0})
    if (std::log(us) > x0 && std::log(us) < x1)
      out += text(x_of(us), kHeight - kBottom + 18, fixed(us, us < 1 ? 1 : 0), "middle");
  for (int i = 0; i <= 4; ++i) {
    const double accuracy = y0 + (y1 - y0) * i / 4;
    out += concat("<line x1='", kLeft, "' x2='", kWidth - kRight, "' y1='", fixed(y_of(accuracy), 1),
                  "' y2='", fixed(y_of(accuracy), 1), "' stroke='#ddd'/>\n",
                  text(kLeft - 6, y_of(accuracy) + 4, fixed(100 * accuracy, 1) + " %", "end"));
  }
  std::string line;
  for (const ParetoPoint& point : front_of(points))
    line += concat(fixed(x_of(point.latency_us), 1), ",", fixed(y_of(point.accuracy), 1), " ");
  out += concat("<polyline points='", line, "' fill='none' stroke='#888'/>\n");
  for (const ParetoPoint& point : points) {
    const char* colour = point.search == "random"      ? "#1b6ca8"
                         : point.search == "evolution" ? "#2e7d32"
                                                       : "#c44e1b";
    out += concat("<circle cx='", fixed(x_of(point.latency_us), 1), "' cy='", fixed(y_of(point.accuracy), 1),
                  "' r='3.5' fill='", colour, "'><title>", point.name, ": ", fixed(100 * point.accuracy, 2),
                  " %, ", fixed(point.latency_us, 2), " us</title></circle>\n");
    if (point.search == "baseline")
      out += text(x_of(point.latency_us) + 6, y_of(point.accuracy) + 4, point.name, "start");
  }
  double y = kTop;
  for (const auto& [search, colour] :
       {std::pair{"random search", "#1b6ca8"}, {"evolution", "#2e7d32"}, {"models of runs", "#c44e1b"}}) {
    out += concat("<circle cx='", kWidth - kRight + 20, "' cy='", y, "' r='3.5' fill='", colour, "'/>\n",
                  text(kWidth - kRight + 28, y + 4, search, "start"));
    y += 16;
  }
  return out + "</svg>\n";
}

Json pareto_json(const std::vector<ParetoPoint>& points, const std::string& dataset, std::uint64_t seed) {
  const std::vector<ParetoPoint> front = front_of(points);
  Json rows = Json::array();
  for (const ParetoPoint& point : points) {
    const bool leads = std::any_of(front.begin(), front.end(), [&](const ParetoPoint& other) {
      return other.name == point.name && other.search == point.search;
    });
    rows.push_back({{"name", point.name},
                    {"search", point.search},
                    {"validation_accuracy", point.accuracy},
                    {"latency_us", point.latency_us},
                    {"front", leads}});
  }
  return {{"schema", "cbnet-pareto/1"},
          {"version", kVersion},
          {"dataset", dataset},
          {"seed", seed},
          {"rows", std::move(rows)}};
}

}  // namespace cbnet::bench

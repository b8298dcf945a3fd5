#include "bench/growth_plot.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "bench/records.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tensor/process.h"

namespace cbnet::bench {
namespace {

/// Quotes as gnuplot does where nothing in a string is special.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "''" : std::string(1, c);
  return out + "'";
}

/// Throws its log where it fails.
void run_gnuplot(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {"gnuplot"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Process gnuplot(command, {.error = ProcessOptions::kOutput});
  const std::string log = gnuplot.read_all();
  gnuplot.wait();
  if (gnuplot.exit_code() != 0)
    throw std::runtime_error(concat("gnuplot ", arguments.back(), ": ", gnuplot.exit_text(), ": ", log));
}

struct Panel {
  std::string axis, title, x_label;
  int threads = 1;
};

std::vector<Panel> panels_of(const std::vector<GrowthSeries>& series) {
  std::vector<Panel> out;
  for (const GrowthSeries& one : series) {
    const auto same = [&](const Panel& panel) {
      return panel.axis == one.axis && panel.threads == one.threads;
    };
    if (std::any_of(out.begin(), out.end(), same)) continue;
    const std::string threads = concat(one.threads, one.threads == 1 ? " thread" : " threads");
    if (one.axis == "batch") out.push_back({one.axis, "Batch, " + threads, "images a call", one.threads});
    if (one.axis == "width")
      out.push_back({one.axis, "Width, batch 1, " + threads,
                     "channels and hidden features, times the paper's", one.threads});
    if (one.axis == "side")
      out.push_back({one.axis, "Image side, batch 1, " + threads, "pixels a side", one.threads});
  }
  return out;
}

const char* colour(const std::string& model) {
  return model == "lenet" ? "#1b6ca8" : model == "classifier" ? "#c44e1b" : "#2e7d32";
}

std::string caption(const std::string& model) {
  return model == "lenet" ? "LeNet" : model == "classifier" ? "early branch" : "autoencoder (MNIST)";
}

/// Sets a tick at every x; where there are many, every other one has its number.
std::string ticks(const std::set<double>& xs) {
  constexpr std::size_t kMany = 8;
  std::string out;
  std::size_t i = 0;
  for (const double x : xs) {
    const bool numbered = xs.size() <= kMany || i++ % 2 == 0;
    out += concat(out.empty() ? "" : ", ", numbered ? quoted(concat(x)) : "''", " ", x);
  }
  return out;
}

/// Returns the plot command of one panel, and its ranges.
std::string panel_script(const Panel& panel, const std::vector<GrowthSeries>& series,
                         const std::string& data) {
  std::string lines, floors;
  std::set<double> xs;
  double min = HUGE_VAL, max = 0.0;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const GrowthSeries& one = series[i];
    if (one.axis != panel.axis || one.threads != panel.threads) continue;
    const std::string columns = concat(quoted(data), " index ", i, " using 1:");
    const std::string look = concat("lc rgb '", colour(one.model), "' ");
    lines += concat(columns, "2:3:4 with yerrorlines ", look, "lw 1.6 pt 7 ps 0.45 title ",
                    quoted(caption(one.model)), ", \\\n     ");
    floors += concat(columns, "5 with lines ", look, "lw 1.4 dt 2 notitle, \\\n     ");
    for (const Json& point : one.points) {
      const auto x = point.at(one.axis).get<double>();
      max = std::max(max, point.at("high").get<double>());
      for (const char* key : {"low", "floor_us"}) min = std::min(min, number_at(point, key).value_or(min));
      xs.insert(x);
    }
  }
  return concat("set title ", quoted(panel.title), "\nset xlabel ", quoted(panel.x_label), "\nset xtics (",
                ticks(xs), ")\nset xrange [", 0.8 * *xs.begin(), ":", 1.25 * *xs.rbegin(), "]\nset yrange [",
                0.6 * min, ":",
                // This leaves room for the key above the curves.
                max * std::pow(max / min, 0.5), "]\nplot ", lines, floors,
                "1/0 with lines lc rgb 'black' lw 1.4 dt 2 title 'floor'\n");
}

}  // namespace

void require_gnuplot() {
  try {
    run_gnuplot({"--version"});
  } catch (const std::runtime_error&) {
    throw InputError("--plot", "the program gnuplot on the PATH", "none that starts",
                     "install gnuplot-nox, or leave --plot out");
  }
}

std::string growth_data(const std::vector<GrowthSeries>& series) {
  std::string out = "# x, us, lowest, highest and floor of one image\n";
  for (const GrowthSeries& one : series) {
    out += concat(&one == series.data() ? "" : "\n\n", "# ", one.axis, ", ", one.model, ", threads ",
                  one.threads, "\n");
    for (const Json& point : one.points) {
      const Json& floor = point.at("floor_us");
      out += concat(point.at(one.axis).dump(), " ", point.at("us").dump(), " ", point.at("low").dump(), " ",
                    point.at("high").dump(), " ", floor.is_null() ? "?" : floor.dump(), "\n");
    }
  }
  return out;
}

std::string growth_script(const std::vector<GrowthSeries>& series, const std::filesystem::path& data) {
  const std::vector<Panel> panels = panels_of(series);
  const std::size_t rows = (panels.size() + 1) / 2;
  std::string out = concat(
      "set terminal svg size 1160,", 430 * rows,
      " font 'Helvetica,13' background 'white' noenhanced\nset encoding utf8\nset datafile missing '?'\n"
      "set logscale xy\nset format xy '%g'\nset grid lc rgb '#dddddd'\nset ylabel 'µs an image'\n"
      "set key top left Left reverse samplen 2.5 maxrows 2\nset multiplot layout ",
      rows, ",2\n");
  for (const Panel& panel : panels) out += panel_script(panel, series, data.string());
  return out + "unset multiplot\n";
}

void plot_growth(const Json& report, const std::filesystem::path& svg) {
  const std::vector<GrowthSeries> series = growth_series(report);
  require_gnuplot();
  std::filesystem::path data = svg, script = svg;
  data.replace_extension(".dat");
  script.replace_extension(".gnuplot");
  write_file_atomic(data, growth_data(series));
  write_file_atomic(script, growth_script(series, data));
  // gnuplot writes over whatever stands under a name: nobody else writes there.
  const TemporaryFolder folder;
  const std::filesystem::path drawn = folder / "drawn.svg";
  run_gnuplot({"-e", "set output " + quoted(drawn.string()), script.string()});
  write_file_atomic(svg, read_file(drawn));
}

}  // namespace cbnet::bench

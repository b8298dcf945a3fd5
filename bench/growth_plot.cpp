#include "bench/growth_plot.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <set>
#include <stdexcept>
#include <system_error>

#include "bench/records.h"
#include "energy/child_process.h"
#include "tensor/error.h"
#include "tensor/io.h"

namespace cbnet::bench {
namespace {

constexpr const char* kProgram = "gnuplot";
constexpr double kPatienceS = 60.0;

/// As gnuplot writes a string in which nothing is special.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "''" : std::string(1, c);
  return out + "'";
}

/// Throws what it says where it fails.
void run_gnuplot(const std::vector<std::string>& arguments) {
  energy::ChildProcess child(kProgram, arguments);
  std::string said;
  std::array<char, 4096> part{};
  for (ssize_t n = 0; (n = ::read(child.output_fd(), part.data(), part.size())) > 0;)
    said.append(part.data(), static_cast<std::size_t>(n));
  if (!child.reap(kPatienceS) || child.exit_text() != "exit status 0")
    throw std::runtime_error(concat("gnuplot ", arguments.back(), ": ", child.exit_text(), ": ", said));
}

/// Where gnuplot, which writes over whatever stands under a name, draws: nobody else writes there.
struct DrawingFolder {
  std::filesystem::path path;
  DrawingFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "cbnet-plot-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw std::runtime_error(concat("cannot make the folder ", name, ": ", std::strerror(errno)));
    path = name;
  }
  ~DrawingFolder() {
    std::error_code error;
    std::filesystem::remove_all(path, error);
  }
  DrawingFolder(const DrawingFolder&) = delete;
  DrawingFolder& operator=(const DrawingFolder&) = delete;
};

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

/// At every x; where there are many, every other one has its number.
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

/// The plot command of one panel, and its ranges.
std::string panel_script(const Panel& panel, const std::vector<GrowthSeries>& series,
                         const std::string& data) {
  std::string lines, floors;
  std::set<double> xs;
  double least = HUGE_VAL, most = 0.0;
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
      most = std::max(most, point.at("high").get<double>());
      for (const char* key : {"low", "floor_us"})
        least = std::min(least, number_at(point, key).value_or(least));
      xs.insert(x);
    }
  }
  return concat("set title ", quoted(panel.title), "\nset xlabel ", quoted(panel.x_label), "\nset xtics (",
                ticks(xs), ")\nset xrange [", 0.8 * *xs.begin(), ":", 1.25 * *xs.rbegin(), "]\nset yrange [",
                0.6 * least, ":",
                // Room for the key above the curves.
                most * std::pow(most / least, 0.5), "]\nplot ", lines, floors,
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
  const DrawingFolder folder;
  const std::filesystem::path drawn = folder.path / "drawn.svg";
  run_gnuplot({"-e", "set output " + quoted(drawn.string()), script.string()});
  write_file_atomic(svg, read_file(drawn));
}

}  // namespace cbnet::bench

#include "console/progress.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

using namespace cbnet;

namespace {
Progress half_way() {
  Progress progress;
  progress.stage = "lenet";
  progress.stage_number = 1;
  progress.stages = 3;
  progress.epoch = 2;
  progress.epochs = 12;
  progress.images = 50;
  progress.images_per_epoch = 100;
  progress.loss = 0.5;
  progress.accuracy = 0.875;
  progress.seconds_left = 75;
  return progress;
}
constexpr const char* kErase = "\r\033[K";
}  // namespace

TEST_CASE("on a terminal a bar is drawn over itself, within 79 columns, and taken away for a line") {
  std::ostringstream bar_out;
  std::ostringstream lines;
  {
    ProgressBar bar(bar_out, lines, true, false, [] { return std::size_t{80}; });
    bar.update(half_way());
    CHECK(bar_out.str() ==
          std::string(kErase) +
              "lenet 1/3  epoch 2/12 [######.......]  loss 0.5000  accuracy 87.50 %  1:15 left");
    CHECK(bar_out.str().size() - std::string(kErase).size() <= 79);
    bar.update(half_way());  // too soon to be drawn again
    CHECK(bar_out.str().find(kErase, 1) == std::string::npos);
    Progress end = half_way();
    end.images = 100;
    bar.update(end);
    CHECK(bar_out.str().find("[#############]") != std::string::npos);
    bar.say("a line");
    CHECK(bar_out.str().ends_with(kErase));
    CHECK(lines.str() == "a line\n");
    bar.update("head", 2.0, "  tail", true);
    CHECK(bar_out.str().ends_with("head [####################]  tail"));
  }
  CHECK(bar_out.str().ends_with(kErase));
}

TEST_CASE("each drawing fits the terminal as it is then, in columns") {
  std::ostringstream out;
  std::ostringstream lines;
  std::size_t width = 80;
  ProgressBar bar(out, lines, true, false, [&] { return width; });
  const auto drawn = [&](const std::string& head) {
    out.str("");
    bar.update(head, 0.5, "  loss 0.5", true);
    return out.str().substr(std::string(kErase).size());
  };
  CHECK(drawn("lenet") == "lenet [##########..........]  loss 0.5");
  width = 200;
  CHECK(drawn("lenet") == "lenet [##########..........]  loss 0.5");
  width = 26;
  CHECK(drawn("lenet") == "lenet [###....]  loss 0.5");
  width = 20;
  CHECK(drawn("lenet") == "lenet [.]  loss 0.5");
  width = 19;
  CHECK(drawn("lenet") == "lenet  loss 0.5");
  width = 12;
  CHECK(drawn("lenet") == "lenet  loss");
  width = 1;
  CHECK(drawn("lenet").empty());
  width = 0;  // a terminal that does not say
  CHECK(drawn("lenet") == "lenet [##########..........]  loss 0.5");
  width = 26;
  CHECK(drawn("µµ訓x") == "µµ訓x [###....]  loss 0.5");
  width = 6;
  CHECK(drawn("訓練訓練") == "訓練");
}

TEST_CASE("a terminal is asked for its width, then $COLUMNS") {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0 || ::grantpt(terminal) != 0 || ::unlockpt(terminal) != 0) return;
  const int side = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(side >= 0);
  const std::string before = std::getenv("COLUMNS") != nullptr ? std::getenv("COLUMNS") : "";
  const int standard_error = ::dup(STDERR_FILENO);
  ::dup2(side, STDERR_FILENO);
  std::vector<std::size_t> widths;
  ::setenv("COLUMNS", "33", 1);
  for (const unsigned short columns : {100, 40, 0}) {
    winsize size{};
    size.ws_col = columns;
    ::ioctl(terminal, TIOCSWINSZ, &size);
    widths.push_back(terminal_width());
  }
  ::unsetenv("COLUMNS");
  widths.push_back(terminal_width());
  ::dup2(standard_error, STDERR_FILENO);
  if (!before.empty()) ::setenv("COLUMNS", before.c_str(), 1);
  for (const int file : {standard_error, side, terminal}) ::close(file);
  CHECK(widths == std::vector<std::size_t>{100, 40, 33, 80});
}

TEST_CASE("elsewhere an epoch is a plain line") {
  std::ostringstream bar_out;
  std::ostringstream lines;
  ProgressBar bar(bar_out, lines, false, false);
  Progress progress = half_way();
  bar.update(progress);
  CHECK(bar_out.str().empty());
  progress.images = 100;
  progress.stages = 1;
  progress.accuracy = std::nan("");
  bar.update(progress);
  CHECK(bar_out.str() == "lenet  epoch 2/12  loss 0.5000  1:15 left\n");
}

TEST_CASE("quiet is quiet") {
  std::ostringstream out;
  ProgressBar bar(out, out, true, true);
  bar.update(half_way());
  bar.say("a line");
  CHECK(out.str().empty());
}

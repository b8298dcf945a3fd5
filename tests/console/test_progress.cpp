#include "console/progress.h"

#include <doctest/doctest.h>

#include <cmath>
#include <sstream>
#include <string>

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
    ProgressBar bar(bar_out, lines, true, false);
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

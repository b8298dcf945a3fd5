#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <ostream>
#include <string>
#include <utility>

#include "train/fit.h"

namespace cbnet {

/// Returns the columns of the terminal on the standard error as it is now, $COLUMNS where it does not say,
/// else 80.
std::size_t terminal_width();

/// Shows how far something long is: a bar that moves on a terminal, plain lines elsewhere.
class ProgressBar {
 public:
  /// `bar` gets the progress, `lines` what is said in between. `width` is asked at each drawing, since the
  /// terminal's may change: a line that wraps could not be drawn over.
  ProgressBar(std::ostream& bar, std::ostream& lines, bool terminal, bool quiet,
              std::function<std::size_t()> width = terminal_width)
      : bar_(bar), lines_(lines), terminal_(terminal), quiet_(quiet), width_(std::move(width)) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// Shows "head [####....]tail", `fraction` of it filled, cut to the terminal's width. `milestone`: worth a
  /// plain line where no bar can move.
  void update(const std::string& head, double fraction, const std::string& tail, bool milestone);
  /// Shows stage, epoch, loss, accuracy and time left of a training; a milestone is the end of an epoch.
  void update(const Progress& progress);
  /// Prints a line of text that stays.
  void say(const std::string& line);

 private:
  void clear();

  std::ostream& bar_;
  std::ostream& lines_;
  bool terminal_;
  bool quiet_;
  std::function<std::size_t()> width_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_draw_{};
};

}  // namespace cbnet

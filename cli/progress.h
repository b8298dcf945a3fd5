#pragma once

#include <chrono>
#include <ostream>
#include <string>

#include "cbnet/trainer.h"

namespace cbnet::cli {

/// Shows how far training is: a bar that moves on a terminal, one plain line an epoch elsewhere.
class ProgressBar {
 public:
  /// `bar` gets the progress, `lines` what is said in between.
  ProgressBar(std::ostream& bar, std::ostream& lines, bool terminal, bool quiet)
      : bar_(bar), lines_(lines), terminal_(terminal), quiet_(quiet) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(const Progress& progress);
  /// A line of text that stays.
  void say(const std::string& line);

 private:
  void clear();

  std::ostream& bar_;
  std::ostream& lines_;
  bool terminal_;
  bool quiet_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_draw_{};
};

/// 75 -> "1:15", 3700 -> "1:01:40".
std::string duration_text(double seconds);

}  // namespace cbnet::cli

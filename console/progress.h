#pragma once

#include <chrono>
#include <ostream>
#include <string>

#include "cbnet/trainer.h"

namespace cbnet {

/// Shows how far something long is: a bar that moves on a terminal, plain lines elsewhere.
class ProgressBar {
 public:
  /// `bar` gets the progress, `lines` what is said in between.
  ProgressBar(std::ostream& bar, std::ostream& lines, bool terminal, bool quiet)
      : bar_(bar), lines_(lines), terminal_(terminal), quiet_(quiet) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// "head [####....]tail", `share` of it filled. `milestone`: worth a plain line where no bar can move.
  void update(const std::string& head, double share, const std::string& tail, bool milestone);
  /// Of training: stage, epoch, loss, accuracy, time left; a milestone is the end of an epoch.
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

}  // namespace cbnet

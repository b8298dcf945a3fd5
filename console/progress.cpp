#include "console/progress.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "console/output.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

constexpr std::size_t kBarWidth = 20;
constexpr std::size_t kLineWidth = 79;
constexpr std::chrono::milliseconds kRedraw{100};

/// As long as the line leaves room for: a line that wraps could not be drawn over.
std::string bar_text(double share, std::size_t rest_of_line) {
  constexpr std::size_t kFrame = 3;
  const std::size_t width = rest_of_line + kFrame + kBarWidth <= kLineWidth
                                ? kBarWidth
                                : kLineWidth - std::min(kLineWidth, rest_of_line + kFrame);
  const auto filled = static_cast<std::size_t>(static_cast<double>(width) * std::clamp(share, 0.0, 1.0));
  return concat(" [", std::string(filled, '#'), std::string(width - filled, '.'), "]");
}

}  // namespace

void ProgressBar::update(const std::string& head, double share, const std::string& tail, bool milestone) {
  if (quiet_) return;
  if (!terminal_) {
    if (milestone) bar_ << head << tail << '\n' << std::flush;
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (!milestone && now - last_draw_ < kRedraw) return;
  last_draw_ = now;
  // In one piece: stderr is unbuffered, and pieces flicker.
  bar_ << concat("\r\033[K", head, bar_text(share, head.size() + tail.size()), tail) << std::flush;
  drawn_ = true;
}

void ProgressBar::update(const Progress& p) {
  const std::string place = p.stages > 1 ? concat(" ", p.stage_number, "/", p.stages) : "";
  const std::string accuracy = std::isnan(p.accuracy) ? "" : concat("  accuracy ", percent(p.accuracy));
  const double share =
      static_cast<double>(p.images) / static_cast<double>(std::max<std::int64_t>(p.images_per_epoch, 1));
  update(concat(p.stage, place, "  epoch ", p.epoch, "/", p.epochs), share,
         concat("  loss ", fixed(p.loss, 4), accuracy, "  ", duration_text(p.seconds_left), " left"),
         p.images >= p.images_per_epoch);
}

void ProgressBar::say(const std::string& line) {
  if (quiet_) return;
  clear();
  lines_ << line << '\n' << std::flush;
}

void ProgressBar::clear() {
  if (drawn_) bar_ << "\r\033[K" << std::flush;
  drawn_ = false;
}

}  // namespace cbnet

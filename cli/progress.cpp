#include "cli/progress.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "cli/output.h"
#include "tensor/error.h"

namespace cbnet::cli {
namespace {

constexpr std::size_t kBarWidth = 20;
constexpr std::size_t kLineWidth = 79;
constexpr std::chrono::milliseconds kRedraw{100};

std::string two_digits(std::int64_t number) { return concat(number < 10 ? "0" : "", number); }

std::string figures(const Progress& p) {
  return concat("  loss ", fixed(p.loss, 4),
                std::isnan(p.accuracy) ? std::string() : concat("  accuracy ", percent(p.accuracy)), "  ",
                duration_text(p.seconds_left), " left");
}

/// As long as the line leaves room for: a line that wraps could not be drawn over.
std::string bar_text(const Progress& p, std::size_t rest_of_line) {
  constexpr std::size_t kFrame = 3;
  const std::size_t width = rest_of_line + kFrame + kBarWidth <= kLineWidth
                                ? kBarWidth
                                : kLineWidth - std::min(kLineWidth, rest_of_line + kFrame);
  const double share =
      static_cast<double>(p.images) / static_cast<double>(std::max<std::int64_t>(p.images_per_epoch, 1));
  const auto filled = static_cast<std::size_t>(static_cast<double>(width) * std::clamp(share, 0.0, 1.0));
  return concat(" [", std::string(filled, '#'), std::string(width - filled, '.'), "]");
}

}  // namespace

std::string duration_text(double seconds) {
  const auto total = static_cast<std::int64_t>(std::llround(std::max(seconds, 0.0)));
  const std::int64_t hours = total / 3600;
  const std::int64_t minutes = total / 60 % 60;
  const std::string tail = two_digits(total % 60);
  return hours > 0 ? concat(hours, ":", two_digits(minutes), ":", tail) : concat(minutes, ":", tail);
}

void ProgressBar::update(const Progress& p) {
  if (quiet_) return;
  const bool epoch_done = p.images >= p.images_per_epoch;
  const std::string head = concat(p.stage, "  epoch ", p.epoch, "/", p.epochs);
  if (!terminal_) {
    if (epoch_done) bar_ << head << figures(p) << '\n' << std::flush;
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (!epoch_done && now - last_draw_ < kRedraw) return;
  last_draw_ = now;
  const std::string tail = figures(p);
  // In one piece: stderr is unbuffered, and pieces flicker.
  bar_ << concat("\r\033[K", head, bar_text(p, head.size() + tail.size()), tail) << std::flush;
  drawn_ = true;
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

}  // namespace cbnet::cli

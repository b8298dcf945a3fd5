#include "console/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "console/columns.h"
#include "console/output.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

constexpr std::size_t kBarWidth = 20;
constexpr std::size_t kUnknownWidth = 80;
constexpr std::chrono::milliseconds kRedraw{100};

/// Returns a bar as long as `columns` leave room for; none where there is no room for one.
std::string bar_text(double fraction, std::size_t rest_of_line, std::size_t columns) {
  constexpr std::size_t kFrame = 3;
  if (rest_of_line + kFrame >= columns) return "";
  const std::size_t width = std::min(kBarWidth, columns - rest_of_line - kFrame);
  const auto filled = static_cast<std::size_t>(static_cast<double>(width) * std::clamp(fraction, 0.0, 1.0));
  return concat(" [", std::string(filled, '#'), std::string(width - filled, '.'), "]");
}

}  // namespace

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const long stated = columns != nullptr ? std::strtol(columns, nullptr, 10) : 0;
  return stated > 0 ? static_cast<std::size_t>(stated) : kUnknownWidth;
}

void ProgressBar::update(const std::string& head, double fraction, const std::string& tail, bool milestone) {
  if (quiet_) return;
  if (!terminal_) {
    if (milestone) bar_ << head << tail << '\n' << std::flush;
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (!milestone && now - last_draw_ < kRedraw) return;
  last_draw_ = now;
  // The last column stays free: some terminals wrap once it is written.
  const std::size_t width = width_();
  const std::size_t columns = (width > 0 ? width : kUnknownWidth) - 1;
  const std::string bar = bar_text(fraction, columns_of(head) + columns_of(tail), columns);
  // The line is written in one piece: stderr is unbuffered, and pieces flicker.
  bar_ << "\r\033[K" + cut_to_columns(head + bar + tail, columns) << std::flush;
  drawn_ = true;
}

void ProgressBar::update(const Progress& p) {
  const std::string place = p.stages > 1 ? concat(" ", p.stage_number, "/", p.stages) : "";
  const std::string accuracy = std::isnan(p.accuracy) ? "" : concat("  accuracy ", percent(p.accuracy));
  const double fraction =
      static_cast<double>(p.images) / static_cast<double>(std::max<std::int64_t>(p.images_per_epoch, 1));
  update(concat(p.stage, place, "  epoch ", p.epoch, "/", p.epochs), fraction,
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

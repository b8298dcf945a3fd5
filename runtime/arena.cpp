// This file decides where the buffers of a schedule lie, and how many images go through it together.
#include <algorithm>

#include "runtime/planner.h"

namespace cbnet::runtime {
namespace {

constexpr std::size_t kAlign = 64;
/// The arena of a tile should stay in the L2 beside the weights of a layer.
constexpr std::int64_t kTileBytes = 384 * 1024;
constexpr std::int64_t kMinTile = 16, kMaxTile = 128;
/// Activations of more bytes than so many times the weights that a tile shares go through alone.
constexpr std::int64_t kMaxActivationRatio = 4;
/// Fewer images than kMinTile, where so many of them exceed this, go together, down to one.
constexpr std::int64_t kMaxTileBytes = std::int64_t{64} << 20;

std::size_t aligned(std::size_t size) { return (size + kAlign - 1) / kAlign * kAlign; }

std::size_t bytes(const Buffer& buffer, std::int64_t tile) {
  if (buffer.layout.is_bytes()) return aligned(buffer.not_finite(tile) + static_cast<std::size_t>(tile));
  const std::int64_t elements = tile * buffer.pitch + kernels::kSlack;
  return aligned(static_cast<std::size_t>(elements * buffer.layout.element_bytes()));
}

/// Finds from which step to which buffers are in use, and which of them segments hand on.
void find_lifetimes(Schedule& out) {
  const auto buffer = [&](int id) -> Buffer& { return out.buffers[static_cast<std::size_t>(id)]; };
  for (int s = 0; s < static_cast<int>(out.steps.size()); ++s) {
    const Step& step = *out.steps[static_cast<std::size_t>(s)];
    buffer(step.writes).first_step = buffer(step.writes).last_step = s;
    for (const int id : step.reads) buffer(id).last_step = s;
  }
  std::vector<std::size_t> answers(out.buffers.size(), 0);  // the last segment whose logits lie there
  for (std::size_t s = 0; s < out.segments.size(); ++s) {
    if (out.segments[s].logits >= 0) answers[static_cast<std::size_t>(out.segments[s].logits)] = s;
  }
  for (std::size_t s = 0; s < out.segments.size(); ++s) {
    Segment& segment = out.segments[s];
    const int end = static_cast<int>(segment.end);
    for (int b = 0; b < static_cast<int>(out.buffers.size()); ++b) {
      const bool later = buffer(b).last_step >= end || answers[static_cast<std::size_t>(b)] > s;
      if (buffer(b).first_step < end && later) segment.carried.push_back(b);
    }
  }
  for (const Segment& segment : out.segments) {
    int& last = buffer(segment.logits >= 0 ? segment.logits : out.output).last_step;
    last = std::max(last, static_cast<int>(segment.end));
  }
}

/// Finds the lowest place where `buffer` meets none of those that are `placed`, sorted by offset, while both
/// are in use.
std::size_t free_place(const Buffer& buffer, const std::vector<const Buffer*>& placed, std::int64_t tile) {
  std::size_t offset = 0;
  for (const Buffer* other : placed) {
    const bool clash = buffer.is_pinned() || other->is_pinned() ||
                       (buffer.first_step <= other->last_step && other->first_step <= buffer.last_step);
    const std::size_t end = other->offset + bytes(*other, tile);
    if (clash && offset < end && offset + bytes(buffer, tile) > other->offset) offset = end;
  }
  return offset;
}

}  // namespace

void place_buffers(Schedule& out) {
  find_lifetimes(out);
  std::int64_t image = 1;
  for (const Buffer& buffer : out.buffers) image += buffer.pitch * buffer.layout.element_bytes();
  std::int64_t shared = 1;  // bytes of weights that are read once a tile
  for (const StepPtr& step : out.steps) shared += step->shares_weights ? step->weight_bytes : 0;
  // One by one, activations stay in the nearest cache: that counts where they are far more than such weights.
  const bool alone = image > kMaxActivationRatio * shared;
  out.tile = std::clamp(kTileBytes / image, alone ? 1 : kMinTile, kMaxTile);
  out.tile = std::clamp<std::int64_t>(kMaxTileBytes / image, 1, out.tile);
  // This is first fit, largest first.
  std::vector<Buffer*> order;
  for (Buffer& buffer : out.buffers) order.push_back(&buffer);
  std::stable_sort(order.begin(), order.end(), [&](const Buffer* a, const Buffer* b) {
    return bytes(*a, out.tile) > bytes(*b, out.tile);
  });
  std::vector<const Buffer*> placed;
  for (Buffer* buffer : order) {
    buffer->offset = free_place(*buffer, placed, out.tile);
    out.arena_bytes = std::max(out.arena_bytes, buffer->offset + bytes(*buffer, out.tile));
    const auto behind =
        std::upper_bound(placed.begin(), placed.end(), buffer->offset,
                         [](std::size_t offset, const Buffer* other) { return offset < other->offset; });
    placed.insert(behind, buffer);
  }
  for (const StepPtr& step : out.steps) {
    const auto scratch = static_cast<std::size_t>(step->scratch_bytes(out.tile));
    out.scratch_bytes = std::max(out.scratch_bytes, aligned(scratch));
  }
}

bool fits_arena(const Schedule& schedule) {
  constexpr auto kMax = static_cast<std::size_t>(kMaxArenaBytes);
  return schedule.arena_bytes <= kMax && schedule.scratch_bytes <= kMax - schedule.arena_bytes;
}

}  // namespace cbnet::runtime

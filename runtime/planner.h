#pragma once

#include <vector>

#include "runtime/step.h"

namespace cbnet::runtime {

/// This is a buffer of the arena, and from which step to which it is in use.
struct Buffer {
  Layout layout;
  std::int64_t size = 0;   // elements of one image that mean something
  std::int64_t pitch = 0;  // elements from one image to the next
  int first_step = 0, last_step = 0;
  std::size_t offset = 0;

  /// It reaches from the buffer's beginning to what stands behind the images of a tile of bytes
  /// (Slot::not_finite).
  std::size_t not_finite(std::int64_t tile) const {
    return static_cast<std::size_t>(tile * pitch + kernels::kSlack);
  }
  /// Its zero borders are written once: nothing else may ever lie there.
  bool is_pinned() const { return layout.type == Layout::Type::padded; }
};

/// A segment is the steps up to one exit.
struct Segment {
  std::size_t begin = 0, end = 0;
  int logits = -1;           // buffer; -1 behind the last segment of what does not classify
  double threshold = 0.0;    // of a side exit
  std::vector<int> carried;  // buffers that later segments read: compacted to the images that go on
};

struct Schedule {
  std::vector<StepPtr> steps;
  std::vector<Segment> segments;
  std::vector<Buffer> buffers;
  int output = -1;  // buffer of what the last node makes
  std::int64_t tile = 1;
  std::size_t arena_bytes = 0, scratch_bytes = 0;
};

/// A plan's arena for one thread, scratch included, has this size.
inline constexpr std::int64_t kMaxArenaBytes = std::int64_t{256} << 20;

/// Fuses the nodes of a folded graph into steps and gives every buffer its place.
Schedule make_schedule(const Graph& graph, Isa isa);

/// This lists, by value, the nodes that read it.
using Readers = std::vector<std::vector<std::size_t>>;

/// This says which nodes have the channels of a pixel side by side, in channels_last or, where `int8` says
/// so, in channels_u8, and in which layout of either each value lies that they read or make.
struct ChannelsChoice {
  explicit ChannelsChoice(const Graph& graph)
      : nodes(graph.nodes.size()), int8(nodes), layouts(nodes.size() + 1), bytes(layouts) {}
  /// Returns the layout in which a node reads or makes value v.
  const Layout& of(std::size_t node, std::int32_t v) const {
    return (int8[node] ? bytes : layouts)[static_cast<std::size_t>(v)];
  }
  std::vector<bool> nodes, int8;
  std::vector<Layout> layouts, bytes;  // bytes: dense where a value has none
};
/// Returns what costs less; no node where a value would not fit an arena so.
ChannelsChoice choose_channels(const Graph& graph, const kernels::KernelTable& table, const Readers& readers);

/// Says by node whether a plan for `isa` would compute it on bytes whose channels lie side by side.
std::vector<bool> nodes_on_bytes(const Graph& graph, Isa isa);

/// Settles the lifetimes and offsets of the buffers, what segments carry, the tile and the sizes. What is
/// never in use at once may lie in one place.
void place_buffers(Schedule& schedule);

/// Tells whether a schedule that is placed needs at most kMaxArenaBytes.
bool fits_arena(const Schedule& schedule);

}  // namespace cbnet::runtime

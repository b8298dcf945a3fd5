#include "runtime/plan.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "runtime/planner.h"
#include "tensor/flush_subnormals.h"
#include "tensor/parallel.h"

namespace cbnet::runtime {
namespace {

struct FreeBytes {
  void operator()(std::byte* bytes) const { std::free(bytes); }
};
using Bytes = std::unique_ptr<std::byte, FreeBytes>;

/// This is zeroed: the borders of padded planes are zeros from the start and stay so.
Bytes allocate(std::size_t size) {
  constexpr std::size_t kAlign = 64;
  size = (size + kAlign - 1) / kAlign * kAlign;
  Bytes bytes(static_cast<std::byte*>(std::aligned_alloc(kAlign, size)));
  if (bytes == nullptr) throw std::bad_alloc();
  std::memset(bytes.get(), 0, size);
  return bytes;
}

/// Steps read this on their own: no zero, and of bytes the dearest.
constexpr std::uint8_t kLargestByte = 255;

bool is_finite(const float* x, std::int64_t count) {
  // 0 * x is 0 unless x is not finite, and then it is NaN; so is the sum.
  float sum[16] = {};
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (int lane = 0; lane < 16; ++lane) sum[lane] += 0.0F * x[i + lane];
  }
  for (; i < count; ++i) sum[0] += 0.0F * x[i];
  return std::all_of(std::begin(sum), std::end(sum), [](float v) { return v == 0.0F; });
}

/// This is no address, for a later plan may stand where an earlier one stood.
std::uint64_t next_id() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

struct Workspace::Impl {
  /// One thread works in this.
  struct Room {
    Bytes arena;   // the scratch stands behind the buffers
    Bytes images;  // those of a tile, and what an exit says of them
  };
  std::uint64_t plan = 0;   // whose workspace it is
  std::vector<Room> rooms;  // one a thread
  std::int64_t images = 0;  // that everything below has room for
  std::vector<std::int64_t> labels;
  std::vector<float> probabilities, entropy, output;
  std::vector<std::int32_t> exit;
  std::uint64_t calls = 0;  // odd ones walk the weights from the end
};

struct Plan::Impl {
  std::uint64_t id = next_id();
  Graph graph;
  Isa isa;
  const kernels::KernelTable& table;
  Schedule schedule;
  std::vector<Slot> slots;
  std::int64_t input_size;
  std::int64_t result_size;  // classes, or elements of the output

  Impl(const Graph& from, Isa on)
      : graph(fold(from)), isa(on), table(kernels::kernel_table(on)), schedule(make_schedule(graph, on)) {
    for (const Buffer& buffer : schedule.buffers) {
      slots.push_back({buffer.offset, buffer.pitch, buffer.offset + buffer.not_finite(schedule.tile)});
    }
    input_size = numel(graph.input);
    result_size = numel(graph.nodes.back().shape);
  }

  /// Makes room for n images. Where memory ends half-way, the workspace still says what it has room for.
  void reserve(std::int64_t n, int threads, Workspace::Impl& w) const {
    while (w.rooms.size() < static_cast<std::size_t>(threads)) {
      Workspace::Impl::Room room;
      room.arena = allocate(schedule.arena_bytes + schedule.scratch_bytes);
      room.images = allocate(static_cast<std::size_t>(schedule.tile) * sizeof(TileImage));
      w.rooms.push_back(std::move(room));
    }
    if (w.images >= n) return;
    const auto count = static_cast<std::size_t>(n);
    const auto numbers = count * static_cast<std::size_t>(result_size);
    if (graph.classifies) {
      w.labels.resize(count);
      w.probabilities.resize(numbers);
      w.entropy.resize(count);
      w.exit.resize(count);
    } else {
      w.output.resize(numbers);
    }
    w.images = n;
  }

  /// An address can reach the pixels and results of so many images.
  std::int64_t most_images() const {
    constexpr auto kMaxBytes = std::numeric_limits<std::ptrdiff_t>::max();
    constexpr std::int64_t kBytesEach = sizeof(std::int64_t);  // of a number, at most
    return kMaxBytes / kBytesEach / std::max({input_size, result_size, 2 * schedule.tile});
  }

  void check_call(const void* pixels, std::int64_t n, const Workspace::Impl& w) const {
    require(n >= 1, "plan", "expected at least one image; got ", n);
    require(n <= most_images(), "plan", "memory can hold at most ", most_images(), " such images; got ", n);
    require(pixels != nullptr, "plan", "the pixels must not be null");
    require(w.plan == id, "plan", "the workspace was made for another plan");
  }

  /// This is an image on its way, and what the exit at hand says of it.
  struct TileImage {
    std::int64_t image;  // in the batch
    std::int64_t label;
    float entropy;
  };

  Frame frame(Workspace::Impl& w, int thread, std::int64_t n) const {
    Frame out;
    out.arena = w.rooms[static_cast<std::size_t>(thread)].arena.get();
    out.slots = slots.data();
    out.scratch = out.arena + schedule.arena_bytes;
    out.n = n;
    out.backwards = w.calls % 2 == 1;
    return out;
  }

  Frame step_frame(std::size_t i, std::int64_t n, Workspace::Impl& w) const {
    require(i < schedule.steps.size() && n >= 1 && n <= schedule.tile, "plan", "no step ", i, " for ", n,
            " images");
    require(w.plan == id, "plan", "the workspace was made for another plan");
    return frame(w, 0, n);
  }

  template <class Pixel>
  Results run(const Pixel* pixels, std::int64_t n, Workspace::Impl& w) const {
    // Sums depend on how many rows a layer has at once, so the tiles must not depend on the number of
    // threads: an even number of them, as equal as can be.
    const std::int64_t pairs = (n + 2 * schedule.tile - 1) / (2 * schedule.tile);
    const std::int64_t tile = (n + 2 * pairs - 1) / (2 * pairs);
    const std::int64_t tiles = (n + tile - 1) / tile;
    const int chunks = chunk_count(tiles, 1);
    reserve(n, chunks, w);
    ++w.calls;
    parallel_chunks_of(chunks, tiles, [&](int chunk, std::int64_t begin, std::int64_t end) {
      const FlushSubnormals flush;
      auto* const images =
          reinterpret_cast<TileImage*>(w.rooms[static_cast<std::size_t>(chunk)].images.get());
      for (std::int64_t t = begin; t < end; ++t) {
        const std::int64_t first = t * tile;
        Frame at = frame(w, chunk, std::min(tile, n - first));
        if constexpr (sizeof(Pixel) == 1) {
          at.pixels_u8 = pixels + first * input_size;
        } else {
          at.pixels_f32 = pixels + first * input_size;
        }
        run_tile(at, first, w, images);
      }
    });
    const auto count = static_cast<std::size_t>(n);
    const auto numbers = count * static_cast<std::size_t>(result_size);
    Results out;
    if (!graph.classifies) {
      out.output = {w.output.data(), numbers};
      return out;
    }
    out.labels = {w.labels.data(), count};
    out.probabilities = {w.probabilities.data(), numbers};
    out.entropy = {w.entropy.data(), count};
    out.exit = {w.exit.data(), count};
    return out;
  }

  void run_tile(Frame& at, std::int64_t first, Workspace::Impl& w, TileImage* images) const {
    for (std::int64_t i = 0; i < at.n; ++i) images[i].image = first + i;
    for (std::size_t s = 0; s < schedule.segments.size() && at.n > 0; ++s) {
      const Segment& segment = schedule.segments[s];
      for (std::size_t i = segment.begin; i < segment.end; ++i) schedule.steps[i]->run(at);
      if (graph.classifies) {
        leave(at, s, w, images);
      } else {
        for (std::int64_t i = 0; i < at.n; ++i)
          std::copy_n(at.at<float>(schedule.output, i), result_size,
                      w.output.data() + (first + i) * result_size);
      }
    }
  }

  /// Every image gets this exit's answer; those that are not sure of it go on, moved together.
  void leave(Frame& at, std::size_t exit, Workspace::Impl& w, TileImage* images) const {
    const Segment& segment = schedule.segments[exit];
    const bool last = exit + 1 == schedule.segments.size();
    std::int64_t going_on = 0;
    for (std::int64_t i = 0; i < at.n; ++i) {
      const std::int64_t image = images[i].image;
      float entropy = 0.0F;
      table.exit.classify({at.at<float>(segment.logits, i), 1, result_size, result_size,
                           w.probabilities.data() + image * result_size, &entropy, w.labels.data() + image});
      w.exit[static_cast<std::size_t>(image)] = static_cast<std::int32_t>(exit);
      if (exit == 0) w.entropy[static_cast<std::size_t>(image)] = entropy;
      if (last || static_cast<double>(entropy) < segment.threshold) continue;
      if (going_on < i) {
        images[going_on] = images[i];
        for (const int buffer : segment.carried) move(at, buffer, i, going_on);
      }
      ++going_on;
    }
    at.n = going_on;
  }

  void move(const Frame& at, int buffer, std::int64_t from, std::int64_t to) const {
    const Buffer& moved = schedule.buffers[static_cast<std::size_t>(buffer)];
    const auto bytes = static_cast<std::size_t>(moved.pitch * moved.layout.element_bytes());
    std::byte* base = at.arena + moved.offset;
    std::memcpy(base + static_cast<std::size_t>(to) * bytes, base + static_cast<std::size_t>(from) * bytes,
                bytes);
    if (moved.layout.is_bytes()) at.not_finite(buffer)[to] = at.not_finite(buffer)[from];
  }
};

Workspace::Workspace(const Plan& plan) : impl_(std::make_unique<Impl>()) {
  impl_->plan = plan.impl().id;
  plan.impl().reserve(1, 1, *impl_);
}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;

Workspace::Impl& Workspace::impl() const {
  require(impl_ != nullptr, "workspace", "this workspace was moved from; use the one it was moved to");
  return *impl_;
}

Plan::Plan(const Graph& graph, Isa isa) : impl_(std::make_unique<Impl>(graph, isa)) {}
Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

const Plan::Impl& Plan::impl() const {
  require(impl_ != nullptr, "plan", "this plan was moved from; use the one it was moved to");
  return *impl_;
}

Results Plan::run(const std::uint8_t* pixels, std::int64_t n, Workspace& workspace) const {
  Workspace::Impl& room = workspace.impl();
  impl().check_call(pixels, n, room);
  return impl_->run(pixels, n, room);
}

Results Plan::run(const float* pixels, std::int64_t n, Workspace& workspace) const {
  Workspace::Impl& room = workspace.impl();
  impl().check_call(pixels, n, room);
  require(is_finite(pixels, n * impl_->input_size), "plan", "pixels must be finite");
  return impl_->run(pixels, n, room);
}

const Graph& Plan::graph() const { return impl().graph; }
Isa Plan::isa() const { return impl().isa; }
std::int64_t Plan::tile_images() const { return impl().schedule.tile; }
std::size_t Plan::arena_bytes() const { return impl().schedule.arena_bytes + impl().schedule.scratch_bytes; }

std::vector<StepInfo> Plan::steps() const {
  std::vector<StepInfo> out;
  const auto bytes = [&](int buffer) {
    const Buffer& of = impl().schedule.buffers[static_cast<std::size_t>(buffer)];
    return of.size * of.layout.element_bytes();
  };
  for (const StepPtr& step : impl().schedule.steps) {
    StepInfo info{step->name,          step->macs,     step->weight_bytes,
                  bytes(step->writes), step->winograd, step->int8};
    if (step->reads.empty()) info.activation_bytes += impl().input_size;
    for (const int buffer : step->reads) info.activation_bytes += bytes(buffer);
    out.push_back(std::move(info));
  }
  return out;
}

void Plan::fill_step(std::size_t i, std::int64_t n, Workspace& workspace) const {
  const Frame frame = impl().step_frame(i, n, workspace.impl());
  for (const int buffer : impl().schedule.steps[i]->reads) {
    const Layout& layout = impl().schedule.buffers[static_cast<std::size_t>(buffer)].layout;
    const std::int64_t elements = n * frame.pitch(buffer);
    if (layout.type == Layout::Type::dense) std::fill_n(frame.at<float>(buffer), elements, 1.0F);
    if (layout.type == Layout::Type::u8) std::fill_n(frame.at<std::uint8_t>(buffer), elements, kLargestByte);
  }
}

void Plan::run_step(std::size_t i, std::int64_t n, Workspace& workspace) const {
  Frame frame = impl().step_frame(i, n, workspace.impl());
  if (impl().schedule.steps[i]->reads.empty()) {
    thread_local std::vector<std::uint8_t> blank;
    blank.resize(static_cast<std::size_t>(n * impl().input_size), kLargestByte);
    frame.pixels_u8 = blank.data();
  }
  const FlushSubnormals flush;
  impl().schedule.steps[i]->run(frame);
}

std::int64_t Plan::weight_bytes() const {
  std::int64_t out = 0;
  for (const Node& node : impl().graph.nodes) out += node_weight_bytes(node);
  return out;
}

std::vector<std::int64_t> Plan::macs_by_exit() const {
  std::vector<std::int64_t> out;
  std::int64_t macs = 0;
  for (const Segment& segment : impl().schedule.segments) {
    for (std::size_t i = segment.begin; i < segment.end; ++i) macs += impl().schedule.steps[i]->macs;
    out.push_back(macs);
  }
  return out;
}

}  // namespace cbnet::runtime

#include "tensor/cuda/network.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <limits>

#include "tensor/cuda/context.h"
#include "tensor/cuda/network_kernels.cuh"
#include "tensor/error.h"

namespace cbnet::cuda {

const char* to_string(NetLaunch launch) {
  constexpr const char* kNames[] = {"mailbox", "graph", "stream"};
  return kNames[static_cast<int>(launch)];
}

namespace {

using namespace net;  // NOLINT

/// This is memory of the host that the device reads and writes by itself.
std::byte* pinned(std::size_t size) {
  void* out = nullptr;
  check(cudaHostAlloc(&out, size, cudaHostAllocMapped), "network");
  std::memset(out, 0, size);
  return static_cast<std::byte*>(out);
}

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

}  // namespace

struct NetEngine::Impl {
  /// This is one of the two kernels with what it keeps where.
  struct Variant {
    NetArgs args{};
    std::vector<Resident> resident;
    Grid grid;
    double resident_fraction = 0.0;
  };

  NetProgram program;
  cudaDeviceProp device{};
  NetStep* steps = nullptr;
  float* weights = nullptr;
  Variant one, many;
  Mailbox box{};
  std::byte *question = nullptr, *answer = nullptr;
  unsigned number = 0;
  cudaStream_t own_stream{};
  bool stays = false;  // a kernel is waiting at the mailbox
  bool lost = false;   // a kernel did not answer
  cudaGraphExec_t graph{};
  std::int64_t batch_images = 0;  // what the buffers below hold
  Batch batch{};
  std::byte* pinned_answers = nullptr;
  std::vector<std::unique_ptr<Scratch>> owned;  // all of the engine's memory on the device

  explicit Impl(NetProgram from) : program(std::move(from)) {
    int current = 0;
    check(cudaGetDevice(&current), "network");
    check(cudaGetDeviceProperties(&device, current), "network");
    steps = copy_of(program.steps);
    weights = copy_of(program.weights);
    const int team = device.major >= 9 ? 8 : 1;
    one = variant(team, false);
    many = variant(1, true);
    many.grid.blocks.x = static_cast<unsigned>(device.multiProcessorCount * blocks_per_multiprocessor(many));
    give_arena(one, 1);
    give_arena(many, many.grid.blocks.x);
    check(cudaFuncSetAttribute(mailbox_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(one.grid.shared_bytes)),
          "network");
    check(cudaFuncSetAttribute(batch_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(many.grid.shared_bytes)),
          "network");
    check(cudaStreamCreateWithFlags(&own_stream, cudaStreamNonBlocking), "network");
    question = pinned(question_packets() * sizeof(uint4));
    answer = pinned(answer_packets() * sizeof(uint4));
    const std::vector<unsigned> zeros(2, 0);
    unsigned* words = copy_of(zeros);
    box = {reinterpret_cast<const uint4*>(question), reinterpret_cast<uint4*>(answer), words,
           reinterpret_cast<int*>(words + 1)};
    check(cudaStreamSynchronize(stream()), "network");
  }

  ~Impl() {
    if (lost) {
      for (auto& memory : owned) static_cast<void>(memory.release());
      return;
    }
    try {
      dismiss();
    } catch (const std::exception&) {
      // The device is lost, and with it the kernel.
    }
    for (std::byte* pages : {question, answer, pinned_answers}) cudaFreeHost(pages);
    if (graph != nullptr) cudaGraphExecDestroy(graph);
  }

  template <class T>
  T* take(std::size_t count) {
    owned.push_back(std::make_unique<Scratch>(std::max<std::size_t>(count, 1) * sizeof(T)));
    return owned.back()->template as<T>();
  }
  template <class T>
  T* copy_of(const std::vector<T>& from) {
    T* out = take<T>(from.size());
    if (from.empty()) return out;
    kDeviceMemory.copy_in(reinterpret_cast<std::byte*>(out), reinterpret_cast<const std::byte*>(from.data()),
                          from.size() * sizeof(T));
    return out;
  }

  std::size_t question_packets() const {
    return static_cast<std::size_t>((program.pixels + kPixelsOfPacket - 1) / kPixelsOfPacket);
  }
  std::size_t answer_packets() const {
    return static_cast<std::size_t>(1 + (program.outputs + kNumbersOfPacket - 1) / kNumbersOfPacket);
  }

  /// These stand in shared memory: the activations where a block has an image of its own, then weights in the
  /// order of the steps, as long as there is room.
  Variant variant(int team, bool arena_wanted) {
    constexpr std::size_t kReserved = 2048;
    const std::size_t room = device.sharedMemPerBlockOptin - kReserved;
    Variant out;
    Layout layout;
    layout.steps = static_cast<int>(program.steps.size());
    const auto fits = [&](std::size_t floats) { return layout.bytes() + floats * sizeof(float) <= room; };
    int largest_input = 0, needed = 0, kept = 0;
    for (const NetStep& s : program.steps) {
      const bool reads_again = s.kind == NetStepKind::conv2d || s.kind == NetStepKind::linear ||
                               s.kind == NetStepKind::max_pool || s.kind == NetStepKind::avg_pool;
      if (reads_again) largest_input = std::max(largest_input, s.c * s.h * s.w);
    }
    layout.arena_in_shared = arena_wanted && fits(static_cast<std::size_t>(program.activations));
    const int activations = layout.arena_in_shared ? program.activations : largest_input;
    if (fits(static_cast<std::size_t>(activations))) layout.activations = (activations + 3) / 4 * 4;
    for (const NetStep& s : program.steps) {
      Resident where{-1, 0};
      int floats = 0;
      if (s.kind == NetStepKind::conv2d) floats = s.o * (s.c / s.groups * s.kh * s.kw + 1);
      if (s.kind == NetStepKind::affine) floats = 2 * s.c;
      if (s.kind == NetStepKind::linear) {
        where.rows = (s.o + team - 1) / team;
        floats = where.rows * (s.c + 1);
      }
      floats = (floats + 3) / 4 * 4;
      needed += floats;
      if (floats > 0 && fits(static_cast<std::size_t>(floats))) {
        where.weight = layout.resident;
        layout.resident += floats;
        kept += floats;
      }
      out.resident.push_back(where);
    }
    out.resident_fraction = needed == 0 ? 1.0 : static_cast<double>(kept) / needed;
    out.args = {steps,          copy_of(out.resident), weights,         nullptr,       layout, team,
                program.pixels, program.activations,   program.outputs, program.output};
    out.grid = {dim3(static_cast<unsigned>(team)), dim3(kThreadsOfBlock), layout.bytes(),
                static_cast<unsigned>(team)};
    return out;
  }

  int blocks_per_multiprocessor(const Variant& v) const {
    constexpr std::size_t kReservedPerBlock = 1024;
    const std::size_t by_memory =
        device.sharedMemPerMultiprocessor / (v.grid.shared_bytes + kReservedPerBlock);
    return static_cast<int>(std::clamp<std::size_t>(by_memory, 1, 8));
  }

  void give_arena(Variant& v, std::size_t teams) {
    if (v.args.layout.arena_in_shared) return;
    v.args.arena = take<float>(teams * static_cast<std::size_t>(program.activations));
  }

  /// A packet is 12 pixels, then the question's number, which the device sees last.
  void write_packet(std::size_t p, const std::uint8_t* pixels, unsigned tag) const {
    auto* words = reinterpret_cast<std::uint32_t*>(question + p * sizeof(uint4));
    if (pixels != nullptr) {
      const std::size_t first = p * kPixelsOfPacket;
      const std::size_t count =
          std::min<std::size_t>(kPixelsOfPacket, static_cast<std::size_t>(program.pixels) - first);
      std::memcpy(words, pixels + first, count);
    }
    std::atomic_ref<std::uint32_t>(words[3]).store(tag, std::memory_order_release);
  }

  void ask(const std::uint8_t* pixels, NetLaunch launch) {
    ++number;
    if (launch != NetLaunch::mailbox || !kRunsBesideHost) dismiss();
    for (std::size_t p = 0; p < question_packets(); ++p) write_packet(p, pixels, number);
    if (launch == NetLaunch::mailbox && kRunsBesideHost) {
      if (!stays) launch_in(own_stream, "network", mailbox_kernel, one.grid, one.args, box, -1);
      stays = true;
      return;
    }
    if (launch == NetLaunch::graph) {
      if (graph == nullptr) capture();
      check(cudaGraphLaunch(graph, own_stream), "network");
    } else {
      launch_in(own_stream, "network", mailbox_kernel, one.grid, one.args, box, 1);
    }
  }

  /// Ends the kernel that waits at the mailbox. What takes memory from the driver or gives it back would wait
  /// for it.
  void dismiss() {
    if (!stays) return;
    for (std::size_t p = 0; p < question_packets(); ++p) write_packet(p, nullptr, kStop);
    check(cudaStreamSynchronize(own_stream), "network");
    check(cudaMemsetAsync(box.stop, 0, sizeof(int), own_stream), "network");
    stays = false;
  }

  void capture() {
    cudaGraph_t captured{};
    check(cudaStreamBeginCapture(own_stream, cudaStreamCaptureModeThreadLocal), "network");
    launch_in(own_stream, "network", mailbox_kernel, one.grid, one.args, box, 1);
    check(cudaStreamEndCapture(own_stream, &captured), "network");
    check(cudaGraphInstantiate(&graph, captured, 0), "network");
    check(cudaGraphDestroy(captured), "network");
  }

  /// A kernel that hangs cannot be taken back, and what frees memory would wait for it: that is left undone.
  [[noreturn]] void throw_no_answer() {
    lost = true;
    throw std::runtime_error(concat("[network] the device did not answer question ", number,
                                    " within 5 s; hint: end the program, which takes the kernel with it"));
  }

  /// Waits for packet p of the answer.
  const std::uint32_t* await(std::size_t p) {
    auto* words = reinterpret_cast<std::uint32_t*>(answer + p * sizeof(uint4));
    const Clock::time_point start = Clock::now();
    for (std::int64_t tries = 0;; ++tries) {
      if (std::atomic_ref<std::uint32_t>(words[3]).load(std::memory_order_acquire) == number) return words;
      if (tries % 100000 == 99999) {
        check(cudaGetLastError(), "network");
        constexpr double kPatienceNs = 5e9;
        if (since(start) > kPatienceNs) throw_no_answer();
      }
    }
  }

  void read_answer(NetAnswers& out) {
    out.outputs.resize(static_cast<std::size_t>(program.outputs));
    const std::uint32_t* head = await(0);
    if (program.classifies) {
      out.labels.assign(1, static_cast<std::int32_t>(head[0]));
      out.exits.assign(1, static_cast<std::int32_t>(head[1]));
      out.entropy.resize(1);
      std::memcpy(out.entropy.data(), head + 2, sizeof(float));
    }
    for (std::size_t p = 1; p < answer_packets(); ++p) {
      const std::size_t first = (p - 1) * kNumbersOfPacket;
      const std::size_t count = std::min<std::size_t>(kNumbersOfPacket, out.outputs.size() - first);
      std::memcpy(out.outputs.data() + first, await(p), count * sizeof(float));
    }
  }

  void make_room(std::int64_t n) {
    if (n <= batch_images) return;
    const auto count = static_cast<std::size_t>(n);
    batch.images = take<std::uint8_t>(count * static_cast<std::size_t>(program.pixels));
    batch.labels = reinterpret_cast<std::int32_t*>(take<std::byte>(answer_bytes(count)));
    batch.exits = batch.labels + n;
    batch.entropy = reinterpret_cast<float*>(batch.exits + n);
    batch.outputs = batch.entropy + n;
    if (pinned_answers != nullptr) check(cudaFreeHost(pinned_answers), "network");
    pinned_answers = pinned(answer_bytes(count));
    batch_images = n;
  }
  std::size_t answer_bytes(std::size_t n) const {
    return n * (12 + static_cast<std::size_t>(program.outputs) * 4);
  }

  void launch_batch(std::int64_t n) const {
    Grid grid = many.grid;
    grid.blocks.x = static_cast<unsigned>(std::min<std::int64_t>(n, grid.blocks.x));
    Batch of_n = batch;
    of_n.n = n;
    launch("network", batch_kernel, grid, many.args, of_n);
  }
};

NetEngine::NetEngine(const NetProgram& program) : impl_(std::make_unique<Impl>(program)) {}
NetEngine::~NetEngine() = default;

void NetEngine::run_one(const std::uint8_t* pixels, NetLaunch launch, NetAnswers& out) {
  impl_->ask(pixels, launch);
  impl_->read_answer(out);
}

void NetEngine::run_many(const std::uint8_t* pixels, std::int64_t n, NetAnswers& out) {
  Impl& impl = *impl_;
  impl.dismiss();
  impl.make_room(n);
  const auto size = static_cast<std::size_t>(n) * static_cast<std::size_t>(impl.program.pixels);
  auto* images = const_cast<std::uint8_t*>(impl.batch.images);
  kDeviceMemory.copy_in(reinterpret_cast<std::byte*>(images), reinterpret_cast<const std::byte*>(pixels),
                        size);
  impl.launch_batch(n);
  // Labels, exits, entropies and outputs lie behind one another with room for the largest batch.
  const auto get = [&](auto& to, const auto* from, std::size_t count) {
    to.resize(count);
    const std::size_t bytes = count * sizeof(to[0]);
    check(cudaMemcpyAsync(impl.pinned_answers, from, bytes, cudaMemcpyDeviceToHost, stream()), "network");
    check(cudaStreamSynchronize(stream()), "network");
    std::memcpy(to.data(), impl.pinned_answers, bytes);
  };
  const auto count = static_cast<std::size_t>(n);
  if (impl.program.classifies) {
    get(out.labels, impl.batch.labels, count);
    get(out.exits, impl.batch.exits, count);
    get(out.entropy, impl.batch.entropy, count);
  }
  get(out.outputs, impl.batch.outputs, count * static_cast<std::size_t>(impl.program.outputs));
}

double NetEngine::kernel_ns(std::int64_t n, int repeats) {
  Impl& impl = *impl_;
  impl.dismiss();
  impl.make_room(n);
  std::vector<double> times;
  cudaEvent_t begin{}, end{};
  check(cudaEventCreateWithFlags(&begin, 0), "network");
  check(cudaEventCreateWithFlags(&end, 0), "network");
  for (int i = 0; i < repeats; ++i) {
    check(cudaEventRecord(begin, stream()), "network");
    impl.launch_batch(n);
    check(cudaEventRecord(end, stream()), "network");
    check(cudaEventSynchronize(end), "network");
    float milliseconds = 0.0F;
    check(cudaEventElapsedTime(&milliseconds, begin, end), "network");
    times.push_back(static_cast<double>(milliseconds) * 1e6);
  }
  return median(std::move(times));
}

int NetEngine::team() const { return impl_->one.args.team; }
std::size_t NetEngine::shared_bytes() const { return impl_->one.grid.shared_bytes; }
double NetEngine::resident_fraction() const { return impl_->one.resident_fraction; }

}  // namespace cbnet::cuda

// Runs the threads of a block as fibers: each goes on until it waits at a barrier, then the next has its
// turn.
#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <cuda_runtime.h>
#include "tensor/error.h"
#include "tensor/rng.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

// Saves the registers that a call keeps on the stack, the stack's pointer in *from, and goes on where `to`
// was saved. swapcontext() would do, but asks the kernel for its signals each time.
extern "C" void cbnet_switch_stack(void** from, void* to);
#if defined(__x86_64__)
asm(R"(
.text
.globl cbnet_switch_stack
.type cbnet_switch_stack, @function
cbnet_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cbnet_switch_stack, .-cbnet_switch_stack
)");
#elif defined(__aarch64__)
asm(R"(
.text
.globl cbnet_switch_stack
.type cbnet_switch_stack, %function
cbnet_switch_stack:
  stp x29, x30, [sp, #-160]!
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x2, sp
  str x2, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #16]
  ldp x21, x22, [sp, #32]
  ldp x23, x24, [sp, #48]
  ldp x25, x26, [sp, #64]
  ldp x27, x28, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  ldp x29, x30, [sp], #160
  ret
.size cbnet_switch_stack, .-cbnet_switch_stack
)");
#else
#error "the emulation switches stacks on x86-64 and aarch64"
#endif

namespace cbnet::emulation {
namespace {

constexpr unsigned kLanes = 32;
constexpr std::size_t kStackBytes = std::size_t{256} << 10;

Order chosen_order = Order::forwards;
std::uint64_t chosen_seed = 0;

/// A stack that threads of a block run on, one after another until one of them waits.
struct Fiber {
  void* pointer = nullptr;
  std::unique_ptr<char[]> stack = std::make_unique<char[]>(kStackBytes);
  void* sanitizer = nullptr;
};

enum class State { fresh, ready, at_block_barrier, at_team_barrier, at_warp_barrier, finished };

struct Thread {
  State state = State::fresh;
  uint3 index, block;
  std::size_t block_number = 0;  // in the team
  std::size_t fiber = 0;
  unsigned mask = 0;
  std::uint64_t word = 0;
};

/// The blocks that run at a time: one, or those of a cluster.
class Team {
 public:
  void run(const char* name, const std::vector<uint3>& blocks, dim3 block, std::size_t shared,
           const std::function<void()>& body) {
    name_ = name;
    body_ = &body;
    error_ = nullptr;
    threads_of_block_ = std::size_t{block.x} * block.y * block.z;
    const std::size_t count = threads_of_block_ * blocks.size();
    threads_.resize(count);
    answers_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto in_block = static_cast<unsigned>(i % threads_of_block_);
      threads_[i] = {State::fresh,
                     {in_block % block.x, in_block / block.x % block.y, in_block / (block.x * block.y)},
                     blocks[i / threads_of_block_],
                     i / threads_of_block_};
    }
    order_turns();
    shared_.clear();
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      // As many bytes as were asked for, so that the address sanitizer sees the first one behind them.
      shared_.emplace_back(new std::byte[shared]);
      std::memset(shared_.back().get(), 0xFF, shared);  // NaN, and far outside as an index
    }
    while (error_ == nullptr && next_turn()) {
      resume(threads_[current_].fiber);
      release_barriers();
    }
    if (error_ == nullptr && finished_ != threads_.size())
      fail("threads wait at barriers that others never reach");
    if (error_ != nullptr) {
      fibers_.clear();  // their threads stand in the middle of the kernel
      idle_.clear();
      std::rethrow_exception(error_);
    }
  }

  std::byte* shared() { return shared_[threads_[current_].block_number].get(); }
  unsigned lane() const { return static_cast<unsigned>(current_ % threads_of_block_) % kLanes; }

  void wait(State state) {
    threads_[current_].state = state;
    if (state == State::at_block_barrier) ++at_barrier_[threads_[current_].block_number];
    if (state == State::at_team_barrier) ++at_team_barrier_;
    yield();
  }

  const std::uint64_t* exchange(unsigned mask, std::uint64_t word) {
    Thread& thread = threads_[current_];
    if ((mask >> lane() & 1U) == 0) throw std::logic_error(where("calls with a warp mask without itself"));
    thread.mask = mask;
    thread.word = word;
    wait(State::at_warp_barrier);
    return answers_[current_].data();
  }

 private:
  std::string where(const char* what) const {
    const uint3 i = threads_[current_].index;
    return concat("[", name_, "] thread (", i.x, ",", i.y, ",", i.z, ") of block (", blockIdx.x, ",",
                  blockIdx.y, ",", blockIdx.z, ") ", what);
  }
  void fail(const char* what) {
    if (error_ == nullptr) error_ = std::make_exception_ptr(std::logic_error(concat("[", name_, "] ", what)));
  }

  void order_turns() {
    turns_.resize(threads_.size());
    std::iota(turns_.begin(), turns_.end(), std::size_t{0});
    if (chosen_order == Order::backwards) std::reverse(turns_.begin(), turns_.end());
    if (chosen_order == Order::shuffled) {
      Rng rng(chosen_seed++);
      rng.shuffle(std::span<std::size_t>(turns_));
    }
    turn_ = 0;
    at_barrier_.assign(threads_.size() / threads_of_block_, 0);
    finished_in_block_ = at_barrier_;
    at_team_barrier_ = finished_ = 0;
  }

  /// The next thread that can go on becomes the current one.
  bool next_turn() {
    for (std::size_t step = 0; step < turns_.size(); ++step) {
      const std::size_t i = turns_[(turn_ + step) % turns_.size()];
      if (threads_[i].state != State::fresh && threads_[i].state != State::ready) continue;
      turn_ = (turn_ + step + 1) % turns_.size();
      if (threads_[i].state == State::fresh) threads_[i].fiber = take_fiber();
      become(i);
      return true;
    }
    return false;
  }

  void become(std::size_t i) {
    current_ = i;
    threadIdx = threads_[i].index;
    blockIdx = threads_[i].block;
  }

  void release_barriers() {
    const std::size_t number = threads_[current_].block_number;
    const auto first = threads_.begin() + static_cast<std::ptrdiff_t>(number * threads_of_block_);
    if (at_barrier_[number] > 0 && at_barrier_[number] + finished_in_block_[number] == threads_of_block_) {
      if (finished_in_block_[number] > 0)
        fail("some threads of a block are at a barrier that others have passed by");
      std::for_each(first, first + static_cast<std::ptrdiff_t>(threads_of_block_),
                    [](Thread& thread) { thread.state = State::ready; });
      at_barrier_[number] = 0;
    }
    if (at_team_barrier_ == threads_.size()) {
      for (Thread& thread : threads_) thread.state = State::ready;
      at_team_barrier_ = 0;
    }
    if (threads_[current_].state == State::at_warp_barrier)
      release_warp(number * threads_of_block_ + current_ % threads_of_block_ / kLanes * kLanes);
  }

  /// Lets the lanes of a warp go on that have all arrived with the same mask.
  void release_warp(std::size_t first) {
    const std::size_t lanes =
        std::min(kLanes * std::size_t{1}, threads_of_block_ - first % threads_of_block_);
    for (std::size_t l = 0; l < lanes; ++l) {
      if (threads_[first + l].state != State::at_warp_barrier) continue;
      const unsigned mask = threads_[first + l].mask;
      bool complete = true;
      for (std::size_t other = 0; other < kLanes && complete; ++other) {
        if ((mask >> other & 1U) == 0) continue;
        if (other >= lanes || threads_[first + other].state == State::finished) {
          fail("a warp mask names a lane that never comes");
          return;
        }
        complete = threads_[first + other].state == State::at_warp_barrier;
        if (complete && threads_[first + other].mask != mask) {
          fail("the lanes of a warp wait for each other with different masks");
          return;
        }
      }
      if (!complete) continue;
      for (std::size_t to = 0; to < lanes; ++to) {
        if ((mask >> to & 1U) == 0) continue;
        for (std::size_t from = 0; from < kLanes; ++from) {
          // A lane outside the mask has no value to give.
          answers_[first + to][from] =
              (mask >> from & 1U) != 0 ? threads_[first + from].word : ~std::uint64_t{0};
        }
      }
      for (std::size_t to = 0; to < lanes; ++to) {
        if ((mask >> to & 1U) != 0) threads_[first + to].state = State::ready;
      }
    }
  }

  std::size_t take_fiber() {
    if (!idle_.empty()) {
      const std::size_t fiber = idle_.back();
      idle_.pop_back();
      return fiber;
    }
    fibers_.push_back(std::make_unique<Fiber>());
    Fiber& fiber = *fibers_.back();
    // As if fiber_main() had been called and had not begun yet.
    auto* top = reinterpret_cast<void**>(fiber.stack.get() + kStackBytes);
#if defined(__x86_64__)
    --top;  // a function begins 8 bytes off a multiple of 16
    *--top = reinterpret_cast<void*>(&Team::fiber_main);
    fiber.pointer = top - 6;
#else
    fiber.pointer = top - 20;
    static_cast<void**>(fiber.pointer)[1] = reinterpret_cast<void*>(&Team::fiber_main);
#endif
#if defined(__SANITIZE_THREAD__)
    fiber.sanitizer = __tsan_create_fiber(0);
#endif
    return fibers_.size() - 1;
  }

  static void fiber_main();
  void serve();

  void resume(std::size_t fiber) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&main_fake_stack_, fibers_[fiber]->stack.get(), kStackBytes);
#endif
#if defined(__SANITIZE_THREAD__)
    main_sanitizer_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fibers_[fiber]->sanitizer, 0);
#endif
    cbnet_switch_stack(&main_, fibers_[fiber]->pointer);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(main_fake_stack_, nullptr, nullptr);
#endif
  }

  /// Back to run(), until this fiber's thread has its turn again.
  void yield() {
    [[maybe_unused]] void* fake_stack = nullptr;
    const std::size_t fiber = threads_[current_].fiber;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&fake_stack, main_stack_, main_stack_bytes_);
#endif
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(main_sanitizer_, 0);
#endif
    cbnet_switch_stack(&fibers_[fiber]->pointer, main_);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, &main_stack_, &main_stack_bytes_);
#endif
  }

  const char* name_ = "";
  const std::function<void()>* body_ = nullptr;
  std::exception_ptr error_;
  std::vector<Thread> threads_;
  std::vector<std::array<std::uint64_t, kLanes>> answers_;  // to the exchanges of the warps
  std::vector<std::size_t> turns_, idle_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::size_t threads_of_block_ = 1, current_ = 0, turn_ = 0;
  std::vector<std::size_t> at_barrier_, finished_in_block_;  // threads by block
  std::size_t at_team_barrier_ = 0, finished_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> shared_;  // by block
  void* main_ = nullptr;
  [[maybe_unused]] void* main_fake_stack_ = nullptr;
  [[maybe_unused]] void* main_sanitizer_ = nullptr;
  [[maybe_unused]] const void* main_stack_ = nullptr;
  [[maybe_unused]] std::size_t main_stack_bytes_ = 0;
};

Team& team() {
  static Team instance;
  return instance;
}

/// Runs the current thread of the block, and the fresh ones behind it as long as none of them waits.
void Team::serve() {
  while (true) {
    const std::size_t fiber = threads_[current_].fiber;
    try {
      (*body_)();
    } catch (...) {
      if (error_ == nullptr) error_ = std::current_exception();
    }
    threads_[current_].state = State::finished;
    ++finished_;
    ++finished_in_block_[threads_[current_].block_number];
    const std::size_t next = turns_[turn_];
    if (error_ == nullptr && threads_[next].state == State::fresh) {
      turn_ = (turn_ + 1) % turns_.size();
      threads_[next].fiber = fiber;
      become(next);
      continue;
    }
    idle_.push_back(fiber);
    yield();
  }
}

void Team::fiber_main() {
  Team& self = team();
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &self.main_stack_, &self.main_stack_bytes_);
#endif
  self.serve();
}

}  // namespace

void set_order(Order order, std::uint64_t seed) {
  chosen_order = order;
  chosen_seed = seed;
}

void run_grid(const char* name, dim3 grid, dim3 threads, unsigned team_size, std::size_t shared,
              const std::function<void()>& body) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  require(threads.x * threads.y * threads.z >= 1 && threads.x * threads.y * threads.z <= 1024 &&
              grid.x >= 1 && grid.y >= 1 && grid.z >= 1 && grid.y <= 65535 && grid.z <= 65535,
          name, "no device runs blocks of ", threads.x, "x", threads.y, "x", threads.z,
          " threads in a grid of ", grid.x, "x", grid.y, "x", grid.z);
  require(shared <= std::size_t{227} << 10, name, "no block has ", shared, " bytes of shared memory");
  require(team_size >= 1 && team_size <= 8 && grid.x % team_size == 0, name, "no device runs a grid of ",
          grid.x, " blocks in clusters of ", team_size);
  blockDim = threads;
  gridDim = grid;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; x += team_size) {
        std::vector<uint3> blocks;
        for (unsigned b = 0; b < team_size; ++b) blocks.push_back({x + b, y, z});
        team().run(name, blocks, threads, shared, body);
      }
    }
  }
}

std::byte* shared_bytes() { return team().shared(); }
void block_barrier() { team().wait(State::at_block_barrier); }
void team_barrier() { team().wait(State::at_team_barrier); }
const std::uint64_t* warp_exchange(unsigned mask, std::uint64_t word) { return team().exchange(mask, word); }
unsigned lane() { return team().lane(); }

}  // namespace cbnet::emulation

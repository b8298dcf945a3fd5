#include "tensor/parallel.h"

#include <atomic>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tensor/cpu_limit.h"
#include "tensor/error.h"
#include "tensor/flush_subnormals.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {
struct Threads {  // restores the setting
  explicit Threads(int n) : before(num_threads()) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
  int before;
};
}  // namespace

TEST_CASE("impossible thread counts throw") {
  CHECK_THROWS_SAYING(set_num_threads(0), std::invalid_argument, "[threads] expected 1 to 1024; got 0");
  CHECK_THROWS_SAYING(set_num_threads(5000), std::invalid_argument, "got 5000");
}

TEST_CASE("ranges are disjoint and cover everything, whatever the thread count") {
  for (const int threads : {1, 2, 3, 7}) {
    const Threads setting(threads);
    for (const std::int64_t n : {0, 1, 2, 13, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(n));
      parallel_for(n, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
      });
      for (const auto& count : seen) CHECK(count == 1);
    }
  }
}

TEST_CASE("the grain keeps small work in one range, and the ranges repeat") {
  const Threads setting(4);
  CHECK(chunk_count(100, 1000) == 1);
  CHECK(chunk_count(0, 1) == 0);
  CHECK(chunk_count(2500, 1000) == 3);
  CHECK(chunk_count(1 << 20, 1) == 4);
  std::vector<std::int64_t> begins(4);
  parallel_chunks(10, 1, [&](int chunk, std::int64_t begin, std::int64_t) {
    begins[static_cast<std::size_t>(chunk)] = begin;
  });
  CHECK(begins == std::vector<std::int64_t>{0, 2, 5, 7});
}

TEST_CASE("an exception in a worker reaches the caller") {
  const Threads setting(3);
  CHECK_THROWS_SAYING(
      parallel_for(9, 1, [](std::int64_t begin, std::int64_t) { require(begin < 5, "worker", "stop"); }),
      std::invalid_argument, "[worker] stop");
}

TEST_CASE("a loop inside a loop runs in the calling worker") {
  const Threads setting(2);
  std::atomic<int> inner{0};
  parallel_for(4, 1, [&](std::int64_t begin, std::int64_t end) {
    parallel_for(end - begin, 1, [&](std::int64_t b, std::int64_t e) { inner += static_cast<int>(e - b); });
  });
  CHECK(inner == 4);
}

TEST_CASE("several threads run loops at once, each its own") {
  const Threads setting(3);
  constexpr std::int64_t kItems = 1000;
  std::vector<std::vector<std::int64_t>> results(4, std::vector<std::int64_t>(kItems));
  std::vector<std::thread> callers;
  for (std::size_t t = 0; t < results.size(); ++t) {
    callers.emplace_back([&results, t] {
      for (int repeat = 0; repeat < 20; ++repeat) {
        parallel_for(kItems, 1, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i)
            results[t][static_cast<std::size_t>(i)] += i * static_cast<std::int64_t>(t);
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (std::size_t t = 0; t < results.size(); ++t) {
    for (std::int64_t i = 0; i < kItems; ++i)
      REQUIRE(results[t][static_cast<std::size_t>(i)] == 20 * i * static_cast<std::int64_t>(t));
  }
}

TEST_CASE("the environment sets the threads that a program starts with, and nonsense in it is an error") {
  const char* const names[] = {"OMP_NUM_THREADS", "OMP_THREAD_LIMIT"};
  const auto threads = [&](const char* number, const char* limit) {
    const char* const values[] = {number, limit};
    for (int i = 0; i < 2; ++i)
      values[i] == nullptr ? ::unsetenv(names[i]) : ::setenv(names[i], values[i], 1);
    return detail::threads_from_environment();
  };
  std::optional<std::string> before[2];
  for (int i = 0; i < 2; ++i)
    if (const char* value = std::getenv(names[i])) before[i] = value;
  CHECK(threads(nullptr, nullptr) == allowed_cpus());
  CHECK(threads("", nullptr) == allowed_cpus());
  CHECK(threads("3", nullptr) == 3);
  CHECK(threads("5,2", nullptr) == 5);
  CHECK(threads("5", "4") == 4);
  for (const char* bad : {"0", "-2", "two", "3x", "99999999999"}) {
    CHECK_THROWS_SAYING(threads(bad, nullptr), InputError,
                        "OMP_NUM_THREADS: expected a number of threads from 1 to 1024");
    CHECK_THROWS_SAYING(threads("2", bad), InputError, "OMP_THREAD_LIMIT: expected");
  }
  for (int i = 0; i < 2; ++i) before[i] ? ::setenv(names[i], before[i]->c_str(), 1) : ::unsetenv(names[i]);
}

TEST_CASE("the threads of a loop take numbers for zeros as their caller does, whoever started them") {
  const Threads setting(4);
  volatile float smallest = 1.17549435e-38F;
  const auto halves = [&] {
    std::vector<float> out(4);
    parallel_for(4, 1, [&](std::int64_t begin, std::int64_t) {
      out[static_cast<std::size_t>(begin)] = smallest * 0.5F;
    });
    return out;
  };
  // A thread of its own, whose team is started within the first of the two.
  std::thread([&] {
    std::vector<float> flushed;
    {
      const FlushSubnormals flush;
      flushed = halves();
    }
    CHECK(halves() == std::vector<float>(4, smallest * 0.5F));
#if defined(__x86_64__) || defined(__aarch64__)
    CHECK(flushed == std::vector<float>(4, 0.0F));
    const FlushSubnormals flush;
    CHECK(halves() == std::vector<float>(4, 0.0F));
#endif
  }).join();
}

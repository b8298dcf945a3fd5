#include "tensor/thread_team.h"

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tests/support/child.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

/// Sets or unsets (null) a variable of the environment, and puts it back.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before, was_set_ = true;
    set(value);
  }
  ~Environment() { set(was_set_ ? before_.c_str() : nullptr); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  void set(const char* value) const {
    if (value == nullptr) {
      ::unsetenv(name_);
    } else {
      ::setenv(name_, value, 1);
    }
  }
  const char* name_;
  std::string before_;
  bool was_set_ = false;
};

/// Runs fn(chunk) for each chunk in the team of the calling thread.
template <class F>
void run(int chunks, F fn) {
  detail::run_in_team(
      chunks, [](void* context, int chunk) { (*static_cast<F*>(context))(chunk); }, &fn);
}

detail::Waiting waiting(const char* spincount, const char* policy) {
  const Environment first("GOMP_SPINCOUNT", spincount), second("OMP_WAIT_POLICY", policy);
  return detail::waiting_from_environment();
}

// What a sanitizer keeps for a process does not survive some of what is tried here.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#if defined(__SANITIZE_THREAD__)
constexpr bool kCanForkWithThreads = false;
#else
constexpr bool kCanForkWithThreads = true;
#endif

}  // namespace

TEST_CASE("waiting that is neither active, passive nor a count throws") {
  CHECK_THROWS_SAYING(waiting(nullptr, "lazy"), InputError,
                      "OMP_WAIT_POLICY: expected active or passive; found 'lazy'");
  for (const char* count : {"many", "-1", "5x", "1kk", "99999999999g", " "})
    CHECK_THROWS_SAYING(waiting(count, nullptr), InputError, "GOMP_SPINCOUNT: expected a number");
  const Environment policy("OMP_WAIT_POLICY", "lazy");
  std::thread([] { CHECK_THROWS_AS(run(2, [](int) {}), InputError); }).join();
}

TEST_CASE("waiting is short unless the user says otherwise, and a count goes before a policy") {
  CHECK(waiting(nullptr, nullptr).rounds == -1);
  CHECK(waiting(nullptr, nullptr).limit_ns > 0);
  CHECK(waiting(nullptr, nullptr).limit_ns <= 1'000'000);
  CHECK(waiting(nullptr, "PASSIVE").rounds == 0);
  CHECK(waiting(nullptr, "active").rounds == -1);
  CHECK(waiting(nullptr, "active").limit_ns == -1);
  CHECK(waiting("20000", "passive").rounds == 20000);
  CHECK(waiting("20k", nullptr).rounds == 20000);
  CHECK(waiting("infinite", nullptr).rounds == -1);
  CHECK(waiting("infinite", nullptr).limit_ns == -1);
}

TEST_CASE("the record of a measurement says how threads wait") {
  const auto said = [](const char* spincount, const char* policy) {
    const Environment first("GOMP_SPINCOUNT", spincount), second("OMP_WAIT_POLICY", policy);
    return wait_policy();
  };
  CHECK(said(nullptr, nullptr) == "default");
  CHECK(said(nullptr, "passive") == "passive");
  CHECK(said(nullptr, "Active") == "active");
  CHECK(said("5k", "active") == "spincount 5000");
}

TEST_CASE("every chunk has a thread of its own, the caller's for the first") {
  std::vector<std::thread::id> ids(4);
  for (int repeat = 0; repeat < 100; ++repeat) {
    run(4, [&](int chunk) { ids[static_cast<std::size_t>(chunk)] = std::this_thread::get_id(); });
    REQUIRE(ids[0] == std::this_thread::get_id());
    REQUIRE(std::set<std::thread::id>(ids.begin(), ids.end()).size() == 4);
  }
}

TEST_CASE("a team that slept wakes up, whatever the waiting") {
  for (const char* count : {"0", "100", "infinite"}) {
    const Environment waits("GOMP_SPINCOUNT", count);
    std::thread([] {
      std::atomic<int> done{0};
      for (int repeat = 0; repeat < 20; ++repeat) {
        run(3, [&done](int) { ++done; });
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      CHECK(done == 60);
    }).join();
  }
}

TEST_CASE("a team goes on after a chunk threw, and a chunk inside a chunk runs in its thread") {
  CHECK_THROWS_SAYING(run(3, [](int chunk) { require(chunk != 2, "chunk", "two"); }), std::invalid_argument,
                      "[chunk] two");
  std::atomic<int> inner{0};
  run(3, [&inner](int) {
    const std::thread::id outer = std::this_thread::get_id();
    run(2, [&](int) { inner += std::this_thread::get_id() == outer ? 1 : 100; });
  });
  CHECK(inner == 6);
}

TEST_CASE("the child of a fork gets a team of its own, and so does its child") {
  if (!kCanForkWithThreads) return;
  const auto works = [] {
    std::atomic<int> done{0};
    run(3, [&done](int) { ++done; });
    return done == 3;
  };
  REQUIRE(works());
  for (int repeat = 0; repeat < 20; ++repeat) {
    CHECK(outcome_in_child([&] { return works() && outcome_in_child(works).empty(); }) == "");
  }
  CHECK(works());
}

TEST_CASE("a thread that cannot be started is an error, and the threads that are there go on") {
  if (kSanitized) return;
  const auto tried = [] {
    run(2, [](int) {});
    rlimit limit{};
    ::getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = 1;  // no room for another stack
    if (::setrlimit(RLIMIT_AS, &limit) != 0) return false;
    std::atomic<int> done{0};
    bool refused = false;
    try {
      run(64, [&done](int) { ++done; });
    } catch (const std::runtime_error& error) {
      refused = contains(error.what(), "cannot start thread") && done == 0;
    } catch (const std::bad_alloc&) {
      refused = done == 0;
    }
    run(2, [&done](int) { ++done; });
    return refused && done == 2;
  };
  CHECK(outcome_in_child(tried) == "");
}

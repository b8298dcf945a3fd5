#include "tensor/cpu/isa.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "tensor/cpu/kernels/isa_table.h"
#include "tensor/process.h"

using cbnet::Isa;

namespace {

std::string message_of(const char* pin) {
  try {
    (void)cbnet::choose_isa(pin);
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// What this program prints when it runs the child case below with the pin set.
std::string run_pinned(const std::string& pin) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  cbnet::ProcessOptions options;
  options.error = cbnet::ProcessOptions::kOutput;
  options.environment = {{"CBNET_FORCE_ISA", pin}};
  return cbnet::Process({self, "--no-skip", "--test-case=isa child"}, options).read_all();
}

}  // namespace

TEST_CASE("isa: an unknown name says what was found, what is available, and what to do") {
  const std::string message = message_of("sse9");
  CHECK(contains(message, "unknown ISA 'sse9'"));
  CHECK(contains(message, "available: scalar"));
  CHECK(contains(message, "hint:"));
  CHECK_THROWS_AS((void)cbnet::choose_isa("AVX2"), std::invalid_argument);  // names are lower case
}

TEST_CASE("isa: a known name that this CPU or build lacks throws") {
  const auto isas = cbnet::available_isas();
  bool some_missing = false;
  for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::avx512_vnni, Isa::neon}) {
    if (std::find(isas.begin(), isas.end(), isa) != isas.end()) continue;
    some_missing = true;
    const std::string message = message_of(cbnet::to_string(isa));
    CHECK(contains(message, "this CPU or build has no ISA '" + std::string(cbnet::to_string(isa)) + "'"));
    CHECK_THROWS_AS((void)cbnet::kernels::isa_table<float>(isa), std::invalid_argument);
    CHECK_THROWS_AS((void)cbnet::kernels::isa_table<double>(isa), std::invalid_argument);
  }
  CHECK(some_missing);  // no machine is both x86 and ARM
}

TEST_CASE("isa: names choose, and nothing chooses the best") {
  const auto isas = cbnet::available_isas();
  REQUIRE(isas.front() == Isa::scalar);
  for (const Isa isa : isas) CHECK(cbnet::choose_isa(cbnet::to_string(isa)) == isa);
  CHECK(cbnet::choose_isa(nullptr) == isas.back());
  CHECK(cbnet::choose_isa("") == isas.back());
}

TEST_CASE("isa: each ISA has kernels, avx512_vnni those of avx512; the active table is active_isa's") {
  using cbnet::kernels::isa_table;
  const auto family = [](Isa isa) { return isa == Isa::avx512_vnni ? Isa::avx512 : isa; };
  for (const Isa a : cbnet::available_isas()) {
    for (const Isa b : cbnet::available_isas()) {
      const auto &fa = isa_table<float>(a), &fb = isa_table<float>(b);
      CHECK((fa.conv2d_forward == fb.conv2d_forward) == (family(a) == family(b)));
      const auto &da = isa_table<double>(a), &db = isa_table<double>(b);
      CHECK((da.conv2d_forward == db.conv2d_forward) == (family(a) == family(b)));
    }
  }
  CHECK(&isa_table<float>() == &isa_table<float>(cbnet::active_isa()));
  CHECK(&isa_table<double>() == &isa_table<double>(cbnet::active_isa()));
}

TEST_CASE("isa child" * doctest::skip()) {
  std::printf("child isa=%s\n", cbnet::to_string(cbnet::active_isa()));
  CHECK(&cbnet::kernels::isa_table<float>() == &cbnet::kernels::isa_table<float>(cbnet::active_isa()));
}

#if defined(__linux__)
TEST_CASE("isa: CBNET_FORCE_ISA pins a process, and a bad pin stops it") {
  for (const Isa isa : cbnet::available_isas()) {
    const std::string text = run_pinned(cbnet::to_string(isa));
    CHECK_MESSAGE(contains(text, "child isa=" + std::string(cbnet::to_string(isa)) + "\n"), text);
    CHECK_MESSAGE(contains(text, "SUCCESS!"), text);
  }
  const std::string text = run_pinned("sse9");
  CHECK_MESSAGE(contains(text, "unknown ISA 'sse9'"), text);
  CHECK_MESSAGE(contains(text, "FAILURE!"), text);
}
#endif

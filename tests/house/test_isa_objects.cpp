#include <doctest/doctest.h>

#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include "tensor/process.h"

namespace fs = std::filesystem;

namespace {

/// Weak definitions in the output of nm that do not carry the namespace of the ISA in their names: the
/// linker keeps one of several such definitions, and may keep this one for code that runs everywhere.
std::vector<std::string> leaks(const std::string& nm_output, const std::string& isa) {
  static const std::regex weak(R"((^|\n)[0-9a-fA-F]+ [WVu] (\S+))");
  const std::string own = std::to_string(isa.size()) + isa;
  std::vector<std::string> found;
  for (std::sregex_iterator match(nm_output.begin(), nm_output.end(), weak), end; match != end; ++match) {
    const std::string symbol = (*match)[2];
    // The runtime's own anchors say nothing of instruction sets.
    if (symbol.find(own) == std::string::npos && !symbol.starts_with("DW.ref.")) found.push_back(symbol);
  }
  return found;
}

}  // namespace

TEST_CASE("a leaked inline symbol is seen") {
  CHECK(leaks("0000 W _ZSt3maxIfERKT_S2_S2_\n", "avx2").size() == 1);
  CHECK(leaks("0000 T _ZN5cbnet7kernels4avx27forwardEv\n", "avx2").empty());
  CHECK(leaks("0000 W _ZN5cbnet7kernels4avx27forwardIfEEvv\n", "avx2").empty());
  CHECK(leaks("                 U memcpy\n                 w __gmon_start__\n", "avx2").empty());
}

TEST_CASE("the objects compiled per ISA leak no inline symbol") {
  // Where the Ninja and Makefile generators put the objects of the target.
  const fs::path folder =
      fs::path(CBNET_BINARY_DIR) / "CMakeFiles" / "cbnet_tensor.dir/tensor/cpu/kernels/isa";
  REQUIRE_MESSAGE(fs::is_directory(folder), "no objects in " << folder << "; hint: build everything first");
  int objects = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".o") continue;
    ++objects;
    const std::string isa =
        entry.path().filename().string().substr(0, entry.path().filename().string().find('.'));
    cbnet::Process nm({"nm", entry.path().string()});
    const std::string symbols = nm.read_all();
    nm.wait();
    REQUIRE_MESSAGE((nm.exit_code() == 0 && !symbols.empty()), "nm could not read " << entry.path());
    for (const std::string& symbol : leaks(symbols, isa)) {
      FAIL_CHECK(isa << ": " << symbol);
    }
  }
  CHECK(objects >= 2);
}

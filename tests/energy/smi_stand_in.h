#pragma once

#include <string>

#include "energy/nvidia_smi.h"
#include "tests/energy/support.h"

// Shell scripts that stand in for nvidia-smi. Rows come every 10 ms. Tests of failures tell the sampler
// 20 ms, so that 60 ms of silence is a gap; tests that need a result tell it 1 s, so that a busy machine
// does not make a gap. Waits that end early when all is well last long, for the same reason.
namespace cbnet::energy::testing {

inline constexpr int kPeriodMs = 20;
inline constexpr int kPatientPeriodMs = 1000;
inline constexpr double kWaitS = 30;

inline std::string row(int index, const std::string& power) {
  const std::string digit = std::to_string(index);
  return digit + ", GPU-" + digit + digit + digit + digit + ", NVIDIA Test " + digit + ", 550.54, " + power;
}

inline std::string echo(const std::string& line) { return "echo '" + line + "'\n"; }

// `body` over and over.
inline std::string forever(const std::string& body) { return "while :; do\n" + body + "sleep 0.01\ndone\n"; }

// `body` `count` times.
inline std::string repeat(int count, const std::string& body) {
  return "i=0\nwhile [ $i -lt " + std::to_string(count) + " ]; do\ni=$((i+1))\n" + body +
         "sleep 0.01\ndone\n";
}

// `body` over and over until the file `flag` is there.
inline std::string until(const std::string& flag, const std::string& body) {
  return "while [ ! -e '" + flag + "' ]; do\n" + body + "sleep 0.01\ndone\n";
}

inline const std::string kHang = "exec sleep 60\n";

inline NvidiaSmiOptions options_for(const std::string& program, int period_ms = kPeriodMs) {
  NvidiaSmiOptions options;
  options.program = program;
  options.period_ms = period_ms;
  options.first_row_timeout_s = kWaitS;
  return options;
}

}  // namespace cbnet::energy::testing

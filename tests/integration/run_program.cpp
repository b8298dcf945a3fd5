#include "tests/integration/run_program.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <stdexcept>

#include "tensor/process.h"

namespace cbnet::test {
namespace {

constexpr int kNotStarted = 127;  // a shell's

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
/// A file without a name: unlike a pipe it holds whatever the program writes while nobody reads.
using Capture = std::unique_ptr<std::FILE, CloseFile>;

Capture open_capture() {
  Capture capture(std::tmpfile());
  if (!capture) throw std::runtime_error("cannot make a temporary file");
  return capture;
}

std::string content_of(std::FILE* file) {
  std::string text;
  std::rewind(file);
  char buffer[4096];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, got);
  return text;
}

/// By a shell, whose `ulimit` and `cd` hold for what it becomes.
std::vector<std::string> command_for(const std::string& path, const std::vector<std::string>& arguments,
                                     const ProgramOptions& options) {
  // $0 is the limit in KiB, where there is one.
  std::vector<std::string> words = {"sh", "-c",
                                    "{ [ $0 = 0 ] || ulimit -v $0; } && cd \"$1\" && shift && exec \"$@\"",
                                    std::to_string(options.address_space_bytes / 1024),
                                    options.folder.empty() ? "." : options.folder.string()};
  words.insert(words.end(), options.under.begin(), options.under.end());
  words.push_back(path);
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

}  // namespace

ProgramResult run_program(const std::string& name, const std::vector<std::string>& arguments,
                          const ProgramOptions& options) {
  const std::string path = std::string(CBNET_BIN_DIR) + "/" + name;
  const Capture out = open_capture();
  const Capture err = open_capture();
  const auto start = std::chrono::steady_clock::now();
  Process process(
      command_for(path, arguments, options),
      {.output = ::fileno(out.get()), .error = ::fileno(err.get()), .environment = options.environment});
  ProgramResult result;
  const bool is_doomed = options.kill_after_s >= 0 && options.kill_after_s < options.timeout_s;
  if (!process.wait(is_doomed ? options.kill_after_s : options.timeout_s)) {
    result.timed_out = !is_doomed;
    process.signal(SIGKILL);
    process.wait();
  }
  result.exit_code = process.exit_code();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.out = content_of(out.get());
  result.err = content_of(err.get());
  if (result.exit_code == kNotStarted) throw std::runtime_error("cannot run " + path + ": " + result.err);
  return result;
}

}  // namespace cbnet::test

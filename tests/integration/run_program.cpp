#include "tests/integration/run_program.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <thread>

namespace cbnet::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kNotStarted = 127;

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

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// In the child; does not return.
[[noreturn]] void become(std::vector<char*>& arguments, const ProgramOptions& options, std::FILE* out,
                         std::FILE* err) {
  for (const auto& [name, value] : options.environment) ::setenv(name.c_str(), value.c_str(), 1);
  const rlimit limits{options.address_space_bytes, options.address_space_bytes};
  const bool ready = (options.folder.empty() || ::chdir(options.folder.c_str()) == 0) &&
                     (options.address_space_bytes == 0 || ::setrlimit(RLIMIT_AS, &limits) == 0) &&
                     ::dup2(::fileno(out), STDOUT_FILENO) >= 0 && ::dup2(::fileno(err), STDERR_FILENO) >= 0;
  if (ready) ::execvp(arguments[0], arguments.data());
  ::_exit(kNotStarted);
}

int wait_for(pid_t child, const ProgramOptions& options, Clock::time_point start, bool& timed_out) {
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    const double seconds = seconds_since(start);
    timed_out = seconds > options.timeout_s;
    const bool kill_now = options.kill_after_s >= 0 && seconds >= options.kill_after_s;
    if (kill_now || timed_out) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return status;
}

}  // namespace

ProgramResult run_program(const std::string& name, const std::vector<std::string>& arguments,
                          const ProgramOptions& options) {
  const std::string path = std::string(CBNET_BIN_DIR) + "/" + name;
  std::vector<std::string> words = options.under;
  words.push_back(path);
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);

  const Capture out = open_capture();
  const Capture err = open_capture();
  const Clock::time_point start = Clock::now();
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) become(pointers, options, out.get(), err.get());

  ProgramResult result;
  const int status = wait_for(child, options, start, result.timed_out);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  result.seconds = seconds_since(start);
  result.out = content_of(out.get());
  result.err = content_of(err.get());
  if (result.exit_code == kNotStarted) throw std::runtime_error("cannot run " + words[0]);
  return result;
}

}  // namespace cbnet::test

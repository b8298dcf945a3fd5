#include "bench/peers/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

#include "tensor/error.h"

namespace cbnet::peers {
namespace {

std::vector<std::string> merged(const Environment& more) {
  std::vector<std::string> out;
  for (const auto& [name, value] : more) out.push_back(concat(name, "=", value));
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    if (std::none_of(more.begin(), more.end(), [&](const auto& one) { return one.first == name; }))
      out.push_back(text);
  }
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out(words.size() + 1, nullptr);
  std::transform(words.begin(), words.end(), out.begin(), [](std::string& word) { return word.data(); });
  return out;
}

}  // namespace

Child::Child(std::string program, const std::vector<std::string>& arguments, const Environment& environment)
    : program_(std::move(program)) {
  std::signal(SIGPIPE, SIG_IGN);  // a child that has ended is an error to report, not the end of this process
  int to[2], from[2];
  // Closed in children that are started later: each must see the end of its own input.
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
    throw std::runtime_error(concat("cannot make a pipe: ", std::strerror(errno)));
  std::vector<std::string> words = {program_};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = merged(environment);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
  const int error = posix_spawn(&pid_, program_.c_str(), &actions, nullptr, pointers(words).data(),
                                pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  close(to[0]);
  close(from[1]);
  in_ = fdopen(to[1], "w");
  out_ = fdopen(from[0], "r");
  if (error != 0) {
    pid_ = -1;
    throw std::runtime_error(concat("cannot start ", program_, ": ", std::strerror(error)));
  }
}

Child::~Child() {
  std::fclose(in_);
  std::fclose(out_);
  reap();
}

void Child::reap() {
  if (pid_ > 0) waitpid(std::exchange(pid_, -1), nullptr, 0);
}

void Child::write_line(const std::string& line) {
  std::fputs((line + "\n").c_str(), in_);
  std::fflush(in_);
}

std::string Child::read_line() {
  std::string line;
  for (int c = std::fgetc(out_); c != EOF && c != '\n'; c = std::fgetc(out_)) line += static_cast<char>(c);
  if (line.empty())
    throw std::runtime_error(concat(program_, " ended without an answer; its last words are above"));
  return line;
}

}  // namespace cbnet::peers

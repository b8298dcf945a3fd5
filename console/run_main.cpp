#include "console/run_main.h"

#include <exception>
#include <iostream>
#include <new>
#include <stdexcept>

#include "console/options.h"
#include "tensor/error.h"
#include "tensor/version.h"

namespace cbnet {

std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  return text;
}

int run_main(const std::string& program, const std::function<int()>& body) {
  constexpr int kFailed = 1;
  constexpr int kBadInput = 2;
  const auto report = [&](const std::string& line, int code) {
    std::cerr << program << ": " << one_line(line) << '\n';
    return code;
  };
  try {
    const int code = body();
    // A table that met a full disk or a closed pipe is not a success.
    if (!std::cout.flush()) return report("cannot write to the standard output", kFailed);
    return code;
  } catch (const std::invalid_argument& error) {
    return report(error.what(), kBadInput);
  } catch (const InputError& error) {
    return report(error.what(), kBadInput);
  } catch (const std::bad_alloc&) {
    return report("out of memory", kFailed);
  } catch (const std::exception& error) {
    return report(error.what(), kFailed);
  }
}

int run_command(const std::string& program, const char* help, std::span<const Command> commands,
                const std::vector<std::string>& words) {
  const std::string first = words.empty() ? "--help" : words.front();
  if (first == "--help" || first == "-h" || first == "help") {
    std::cout << help;
    return 0;
  }
  if (first == "--version") {
    std::cout << program << " " << kVersion << "\n";
    return 0;
  }
  std::vector<std::string> names;
  for (const Command& command : commands) {
    if (first == command.name) return command.run({words.begin() + 1, words.end()});
    names.emplace_back(command.name);
  }
  throw UsageError(concat(first.starts_with("-") ? "unknown option " : "unknown command ", first,
                          suggestion(first, names, ""), "; hint: see `", program, " --help`"));
}

}  // namespace cbnet

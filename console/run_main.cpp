#include "console/run_main.h"

#include <exception>
#include <iostream>
#include <new>
#include <stdexcept>

#include "tensor/error.h"

namespace cbnet {

int run_main(const std::string& program, const std::function<int()>& body) {
  constexpr int kFailed = 1;
  constexpr int kBadInput = 2;
  // One line: what a file or the user put into a message must not look like several.
  const auto report = [&](std::string line, int code) {
    for (char& c : line) {
      if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
    }
    std::cerr << program << ": " << line << '\n';
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

}  // namespace cbnet

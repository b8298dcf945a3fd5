#pragma once

#include <string>

namespace cbnet::energy {

// A joule comes from power samples of a sensor, a cumulative energy counter, or a power model.
enum class Kind { measured, counter, modelled };

// Every printed joule carries one of these words: "measured", "measured (counter)", "modelled".
inline std::string to_string(Kind kind) {
  switch (kind) {
    case Kind::measured:
      return "measured";
    case Kind::counter:
      return "measured (counter)";
    case Kind::modelled:
      break;
  }
  return "modelled";
}

}  // namespace cbnet::energy

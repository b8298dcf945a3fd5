#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace cbnet {

/// Objects keep the order of their keys: what is written reads in the order it was put.
using Json = nlohmann::ordered_json;

/// JSON from outside. Throws Json::exception for text that is none, and InputError, naming `source`, for more
/// than 64 levels or 20,000 keys, which would cost stack and quadratic time and which no file here has.
Json parse_json(const std::string& text, const std::string& source = "JSON text");

/// The same where the text is JSON, else the text itself as a JSON string.
Json json_or_text(const std::string& text);

}  // namespace cbnet

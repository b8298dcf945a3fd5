#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace cbnet {

/// Objects keep the order of their keys: what is written reads in the order it was put.
using Json = nlohmann::ordered_json;

/// JSON from outside. Throws Json::exception for text that is none, and InputError, naming `source`, for more
/// than 64 levels, 20,000 keys or 250,000 values, which would cost stack, quadratic time or much memory, and which
/// no file here has.
Json parse_json(const std::string& text, const std::string& source = "JSON text");

/// The same where the text is JSON, else the text itself as a JSON string.
Json json_or_text(const std::string& text);

}  // namespace cbnet

#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

// The JSON library is compiled once, in json.cpp, instead of wherever JSON is read.
extern template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace cbnet {

/// Objects keep the order of their keys: what is written reads in the order it was put.
using Json = nlohmann::ordered_json;

/// Reads JSON from outside. Throws Json::exception for text that is none, and InputError, naming `source`,
/// for more than 64 levels, 20,000 keys or 250,000 values, which would cost stack, quadratic time or much
/// memory, and which no file here has.
Json parse_json(const std::string& text, const std::string& source = "JSON text");

/// Returns the same where the text is JSON, else the text itself as a JSON string.
Json json_or_text(const std::string& text);

/// Reads a whole number, or a list of them. Json's own get() cuts 1.5, takes true for 1, wraps 2^63 and is
/// undefined at 1e50; these throw std::invalid_argument.
void get_whole(const Json& json, std::int64_t& out);
void get_whole(const Json& json, std::vector<std::int64_t>& out);

}  // namespace cbnet

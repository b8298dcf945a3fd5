#pragma once

#include <string>
#include <vector>

// What the tests of the house share: walking the tree and judging a file's #include lines.

namespace cbnet::house {

/// Paths from the repository root, sorted, without .git and the folders that .gitignore names.
std::vector<std::string> files_in_tree();

std::string read_text(const std::string& path);

/// A file of C++ (.h, .cpp, .cu, .cuh).
bool is_cpp(const std::string& path);

/// The first folder of a path, or "" for a file in the root; "cbnet.h" for that header.
std::string room_of(const std::string& path);

/// True for the rooms that are libraries, whose headers others include.
bool is_library_room(const std::string& room);

/// One line per #include of `text` that HOUSE's arrows or its allow-lists forbid in the file `path`.
std::vector<std::string> forbidden_includes(const std::string& path, const std::string& text);

}  // namespace cbnet::house

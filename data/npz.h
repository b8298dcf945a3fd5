#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace cbnet::data {

/// Reads one array of an .npz archive (NumPy's format 1.0 and 2.0, stored or deflated, C order, little
/// endian), as u8 of its shape. Elements u1, i4, i8, f4 or f8, and each must be a whole number from 0 to 255.
/// Throws InputError for what is not a zip archive, no such member, another type or order, a size that the
/// file cannot hold, NaN, infinity, or any value that a byte cannot hold.
Tensor read_npz(const std::filesystem::path& path, const std::string& member = "arr_0");

/// Lists the arrays of an archive, by name. InputError when it is none.
std::vector<std::string> npz_members(const std::filesystem::path& path);

/// Tells whether the file starts as a zip archive does. A pipe is none: nothing is read of it.
bool is_zip(const std::filesystem::path& path);

}  // namespace cbnet::data

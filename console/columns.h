#pragma once

#include <cstddef>
#include <string>

namespace cbnet {

/// Counts how many columns of a terminal UTF-8 text takes: two for each character of the scripts that are
/// written in squares (Unicode Standard Annex 11, wide), none for marks that stand above or below another
/// one. Bytes that are no UTF-8 take one each.
std::size_t columns_of(const std::string& text);

/// Returns the beginning of the text that takes at most `columns`; no character is cut in two.
std::string cut_to_columns(const std::string& text, std::size_t columns);

}  // namespace cbnet

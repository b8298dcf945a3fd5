#include "runtime/layout.h"

#include <doctest/doctest.h>

using cbnet::runtime::Layout;

TEST_CASE("layout: where the pixels of padded planes are") {
  const Layout layout{Layout::Type::padded, 2, 5, 7, 3, 1};
  CHECK(layout.row() == 8);         // the zeros on the left of the next row serve on the right of this one
  CHECK(layout.plane() == 11 * 8);  // three rows of zeros above, three below
  CHECK(layout.first() == 3 * 8 + 1);
  CHECK(layout.element_bytes() == 4);
  CHECK(Layout{Layout::Type::u8}.element_bytes() == 1);
}

TEST_CASE("layout: planes are the same whatever stands around them") {
  const Layout layout{Layout::Type::padded, 2, 5, 7, 3, 1};
  Layout other = layout;
  other.pad_h = 0;
  CHECK(layout.same_planes(other));
  CHECK_FALSE(layout == other);
  other.w = 6;
  CHECK_FALSE(layout.same_planes(other));
  CHECK_FALSE(layout.same_planes(Layout{}));
  CHECK_FALSE(Layout{}.same_planes(Layout{}));  // a dense one has no planes
}

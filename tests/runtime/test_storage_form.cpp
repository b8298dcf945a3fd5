#include "runtime/storage_form.h"

#include <doctest/doctest.h>

using cbnet::runtime::Form;

TEST_CASE("form: where the pixels of padded planes are") {
  const Form form{Form::Type::padded, 2, 5, 7, 3, 1};
  CHECK(form.row() == 8);         // the zeros on the left of the next row serve on the right of this one
  CHECK(form.plane() == 11 * 8);  // three rows of zeros above, three below
  CHECK(form.first() == 3 * 8 + 1);
  CHECK(form.element_bytes() == 4);
  CHECK(Form{Form::Type::u8}.element_bytes() == 1);
}

TEST_CASE("form: planes are the same whatever stands around them") {
  const Form form{Form::Type::padded, 2, 5, 7, 3, 1};
  Form other = form;
  other.pad_h = 0;
  CHECK(form.same_planes(other));
  CHECK_FALSE(form == other);
  other.w = 6;
  CHECK_FALSE(form.same_planes(other));
  CHECK_FALSE(form.same_planes(Form{}));
  CHECK_FALSE(Form{}.same_planes(Form{}));  // a dense one has no planes
}

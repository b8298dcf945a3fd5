#include "console/columns.h"

#include <doctest/doctest.h>

using namespace cbnet;

TEST_CASE("columns: characters, not bytes; squares take two, marks none") {
  CHECK(columns_of("") == 0);
  CHECK(columns_of("lenet 1/3") == 9);
  CHECK(columns_of("µs ±") == 4);
  CHECK(columns_of("訓練") == 4);
  CHECK(columns_of("한글") == 4);
  CHECK(columns_of("e\u0301te\u0301") == 3);
  CHECK(columns_of("\U0001f600") == 2);
}

TEST_CASE("columns: bytes that are no UTF-8 take one each") {
  CHECK(columns_of("a\xff\xc3z") == 4);
  CHECK(columns_of("\xe8\xa8") == 2);  // a square without its last byte
  CHECK(columns_of("\x80\x80") == 2);
}

TEST_CASE("columns: a cut leaves whole characters") {
  CHECK(cut_to_columns("abc", 5) == "abc");
  CHECK(cut_to_columns("abc", 2) == "ab");
  CHECK(cut_to_columns("abc", 0).empty());
  CHECK(cut_to_columns("訓練", 3) == "訓");
  CHECK(cut_to_columns("訓練", 1).empty());
  CHECK(cut_to_columns("µµµ", 2) == "µµ");
  CHECK(cut_to_columns("e\u0301x", 1) == "e\u0301");
}

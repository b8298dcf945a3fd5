#include "train/course.h"

#include <doctest/doctest.h>

using namespace cbnet;

TEST_CASE("a fingerprint comes apart into its epochs, its BranchyNet and the rest") {
  const Course course = course_of(
      R"({"seed":1,"recipe":{"epochs":6,"batch_size":8},"branchynet":{"recipe":{"epochs":4},"seed":1}})");
  CHECK(course.epochs == 6);
  CHECK(course.earlier.empty());
  CHECK(course.rest == R"({"seed":1,"recipe":{"batch_size":8},"branchynet":{"recipe":{},"seed":1}})");
  CHECK(course.parent == R"({"recipe":{"epochs":4},"seed":1})");
}

TEST_CASE("earlier epochs go in and come out, and change nothing else") {
  const std::string plain = R"({"recipe":{"epochs":6}})";
  CHECK(with_earlier(plain, {}) == plain);
  const Course course = course_of(with_earlier(plain, {{3, 3}, {5, 12}}));
  REQUIRE(course.earlier.size() == 2);
  CHECK(course.earlier[1].until == 5);
  CHECK(course.earlier[1].of == 12);
  CHECK(course.rest == course_of(plain).rest);
}

TEST_CASE("text that is no fingerprint is all rest") {
  CHECK(course_of("f").rest == "f");
  CHECK(course_of("f").epochs == 0);
  for (const char* text : {R"({"recipe":{"epochs":1.5}})", R"({"earlier_epochs":[{"until":3}]})"})
    CHECK(course_of(text).rest == text);
}

// Every allocation of what reads files fails in turn: with std::bad_alloc, not as a damaged file, and the
// next reading is whole.
#include "data/dataset.h"
#include "data/idx.h"
#include "data/image.h"
#include "data/npz.h"
#include "tests/data/files.h"
#include "tests/support/failing_allocations.h"

using namespace cbnet;
using cbnet::testing::fail_each_allocation;
using cbnet::testing::Shortage;

namespace {

/// Reads once as it should be, then with each allocation failing; both give the same bytes.
template <class Read>
void check_reading(Read read) {
  const Tensor expected = read();
  for (const Shortage shortage : {Shortage::one, Shortage::lasting}) {
    Tensor got;
    const std::int64_t thrown = fail_each_allocation(
        shortage,
        [&] {
          got = Tensor();
          release_cached_storage();
        },
        [&] { got = read(); }, [&] { CHECK_FALSE(got.defined()); });
    CHECK(thrown >= 2);
    CHECK(got.to_vector<double>() == expected.to_vector<double>());
  }
}

}  // namespace

TEST_CASE("datasets and pictures") {
  const test::TempFolder folder;
  test::put(folder / "images", test::idx_images(4));
  test::put(folder / "images.gz", test::gzip(test::idx_images(4)));
  test::put_zip(folder / "a.npz", "arr_0.npy", test::npy("|u1", "(2, 3)", "abcdef"));
  data::write_png(folder / "a.png", Tensor::full({1, 28, 28}, 7, DType::u8));
  test::put(folder / "a.pgm", "P2 2 1 255 3 4");
  check_reading([&] { return data::read_idx(folder / "images"); });
  check_reading([&] { return data::read_idx(folder / "images.gz"); });
  check_reading([&] { return data::read_npz(folder / "a.npz"); });
  check_reading([&] { return data::read_image(folder / "a.png"); });
  check_reading([&] { return data::read_image(folder / "a.pgm"); });
}

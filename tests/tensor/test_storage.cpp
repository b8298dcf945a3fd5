#include "tensor/storage.h"

#include <doctest/doctest.h>

#include <cstdint>

using namespace cbnet;

TEST_CASE("blocks are aligned to 64 bytes, empty ones too") {
  for (const std::size_t size : {0UL, 1UL, 63UL, 64UL, 1000UL}) {
    const Storage storage(size);
    CHECK(storage.size_bytes() == size);
    CHECK(reinterpret_cast<std::uintptr_t>(storage.data()) % 64 == 0);
  }
}

TEST_CASE("live bytes rise and fall with the blocks, the peak stays") {
  const std::size_t before = storage_live_bytes();
  {
    const Storage storage(1 << 20);
    CHECK(storage_live_bytes() == before + (1 << 20));
  }
  CHECK(storage_live_bytes() == before);
  CHECK(storage_peak_bytes() >= before + (1 << 20));
  release_cached_storage();
  CHECK(storage_live_bytes() == before);
}

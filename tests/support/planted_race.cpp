// Two chunks of one loop add to the same number, which the thread sanitizer has to see. Built with that
// sanitizer alone.

#include <cstdint>
#include <cstdio>

#include "tensor/parallel.h"

int main() {
  cbnet::set_num_threads(2);
  std::int64_t sum = 0;
  cbnet::parallel_for(1000, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) sum += i;
  });
  std::printf("%lld\n", static_cast<long long>(sum));
}

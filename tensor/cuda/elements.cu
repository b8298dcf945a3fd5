#include "tensor/cuda/elements.cuh"

namespace cbnet::cuda {

Strided strided(const char* op, Sizes shape, Sizes a, Sizes b, Sizes c) {
  const Sizes arrays[] = {a, b, c};
  const auto stride = [&](int array, std::size_t axis) {
    return arrays[array].empty() ? 0 : arrays[array][axis];
  };
  Strided out;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1) continue;
    bool joins = out.rank > 0;
    for (int array = 0; array < 3 && joins; ++array) {
      joins = out.strides[array][out.rank - 1] == stride(array, axis) * shape[axis];
    }
    if (!joins) {
      require(out.rank < kMaxRank, op, "the device cuda takes at most ", kMaxRank,
              " axes of different strides");
      out.size[out.rank++] = 1;
    }
    out.size[out.rank - 1] *= shape[axis];
    for (int array = 0; array < 3; ++array) out.strides[array][out.rank - 1] = stride(array, axis);
  }
  return out;
}

}  // namespace cbnet::cuda

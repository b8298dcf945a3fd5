#include <cmath>

#include "tensor/image_move.h"
#include "tensor/reference/functions.h"

namespace cbnet::reference {

void augment(const AugmentCall& call) {
  const Source x(call.x, call.dtype);
  Target y(call.y, call.dtype);
  for (int64_t image = 0; image < call.n; ++image) {
    const ImageMove move = ImageMove::draw(call, call.streams[image]);
    const Turn<double> turn{call.h, call.w, std::sin(move.angle), std::cos(move.angle)};
    for (int64_t c = 0; c < call.channels; ++c) {
      const int64_t plane = (image * call.channels + c) * call.h * call.w;
      const auto moved = [&](int64_t i, int64_t k) {
        const int64_t row = move.row(i, call.h), column = move.column(k, call.w);
        return row < 0 || column < 0 ? 0.0 : x[plane + row * call.w + column];
      };
      for (int64_t i = 0; i < call.h; ++i) {
        for (int64_t k = 0; k < call.w; ++k)
          y.set(plane + i * call.w + k, move.angle == 0.0 ? moved(i, k) : turn.pixel(i, k, moved));
      }
    }
  }
}

}  // namespace cbnet::reference

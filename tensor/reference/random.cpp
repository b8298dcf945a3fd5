#include "tensor/reference/functions.h"

namespace cbnet::reference {

void random(const RandomCall& call) {
  Target y(call.y, call.dtype);
  for (int64_t i = 0; i < call.count; ++i) {
    const auto draw = static_cast<std::uint64_t>(i);
    switch (call.kind) {
      case RandomKind::uniform:
        y.set(i, call.a + (call.b - call.a) * call.state.uniform(draw));
        break;
      case RandomKind::normal:
        y.set(i, call.a + call.b * call.state.normal(2 * draw));
        break;
      case RandomKind::mask:
        const std::uint64_t half = call.state.bits(draw / 2) >> draw % 2 * 32 & UINT32_MAX;
        y.set(i, static_cast<double>(half) < call.a * 0x1.0p32 ? 0.0 : call.b);
        break;
    }
  }
}

}  // namespace cbnet::reference

#include "layers/conv2d.h"

namespace cbnet {

Conv2d::Conv2d(std::int64_t in_channels, std::int64_t out_channels, const Pair& kernel_size, Rng& rng,
               const Conv2dOptions& options, bool with_bias, Init init, DType dtype)
    : options_(options) {
  require(options.groups >= 1 && in_channels % options.groups == 0, "conv2d", "input channels (", in_channels,
          ") must divide into ", options.groups, " groups");
  weight =
      Variable(init_weight(init, {out_channels, in_channels / options.groups, kernel_size.h, kernel_size.w},
                           rng, dtype),
               true);
  if (with_bias) bias = Variable(Tensor::zeros({out_channels}, dtype), true);
  register_parameter("weight", &Conv2d::weight);
  register_parameter("bias", &Conv2d::bias);
}

Variable Conv2d::forward(const Variable& x) { return conv2d(x, weight, bias, options_); }

}  // namespace cbnet
